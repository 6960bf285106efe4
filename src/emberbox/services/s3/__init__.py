"""Amazon S3: buckets and objects that are durable, and what is told of them."""
