"""Amazon SQS: queues that are durable, with everything that fills and empties them."""
