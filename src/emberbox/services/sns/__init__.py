"""Amazon SNS: topics that deliver to functions, queues and web servers."""
