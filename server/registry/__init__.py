"""The kinds: one generic set of operations for all of them, and a small strategy per kind, by API group.

Where to look: `registry` is the door (get, list, watch, create, update, patch, delete); a module per verb
does the work; `index` finds a kind; `kind` and `strategy` say what a kind is; `groups` holds, by API
group, the strategies and the registration lines. HTTP is `server.api`'s, persistence `server.storage`'s.
"""
