package example;

import com.amazonaws.services.lambda.runtime.events.KinesisEvent;
import com.amazonaws.services.lambda.runtime.events.S3Event;
import com.amazonaws.services.lambda.runtime.events.SQSBatchResponse;
import com.amazonaws.services.lambda.runtime.events.SQSEvent;
import com.amazonaws.services.lambda.runtime.events.ScheduledEvent;
import java.util.Collections;

/** Handlers that take AWS's classes of events. */
public class Events {
    public SQSBatchResponse queue(SQSEvent event) {
        SQSEvent.SQSMessage message = event.getRecords().get(0);
        return new SQSBatchResponse(
                Collections.singletonList(
                        new SQSBatchResponse.BatchItemFailure(
                                message.getMessageId() + message.getBody())));
    }

    public String bucket(S3Event event) {
        return event.getRecords().get(0).getS3().getBucket().getName()
                + " " + event.getRecords().get(0).getEventTime().getMillis();
    }

    public String stream(KinesisEvent event) {
        KinesisEvent.Record record = event.getRecords().get(0).getKinesis();
        return record.getData().get(1) + " " + record.getApproximateArrivalTimestamp().getTime();
    }

    public String schedule(ScheduledEvent event) {
        return event.getDetailType() + " " + event.getTime().getYear();
    }
}
