//! A function in Rust on lambda_runtime, for the tests.
use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    match event.payload["do"].as_str() {
        Some("fail") => return Err("on purpose".into()),
        Some("exit") => std::process::exit(3),
        Some("slow") => std::thread::sleep(std::time::Duration::from_secs(30)),
        Some("allocate") => {
            let mut held = Vec::new();
            loop {
                held.push(std::hint::black_box(vec![1u8; 16 << 20]));
            }
        }
        Some("work") => return Ok(json!({ "n": event.payload["n"] })),
        _ => println!("printed"),
    }
    Ok(json!({
        "event": event.payload,
        "id": event.context.request_id,
        "arn": event.context.invoked_function_arn,
        "memory": event.context.env_config.memory,
    }))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}
