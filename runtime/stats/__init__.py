"""What the node, its pods and their containers use. Reads when asked, changes nothing."""
