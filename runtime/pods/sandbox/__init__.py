"""A pod's sandbox: its network, names, DNS settings and runtime handler."""
