def handler(event, context):
    """Report the rows that are no numbers; the others of the batch are done."""
    failures = []
    for record in event["Records"]:
        try:
            float(record["body"])
        except ValueError:
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
