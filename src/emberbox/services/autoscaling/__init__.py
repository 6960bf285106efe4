"""Application Auto Scaling, as far as provisioned concurrency needs it."""
