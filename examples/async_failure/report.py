def handler(event, context):
    raise RuntimeError("the printer is on fire")
