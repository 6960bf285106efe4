"""Which networks sandboxes can have, and how they get them."""
