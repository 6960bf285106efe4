"""Amazon EventBridge: buses, rules, archives, API destinations."""
