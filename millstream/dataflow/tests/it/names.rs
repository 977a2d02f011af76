//! Operators have stable names: people and tools look for them in a worker's log.

use std::sync::Arc;

use dataflow::{
    DataflowToken, ErrorHandler, FlowLimit, ShardInput, SinkOptions, SourceOptions, View, WritePermission,
    shard_source, view_sink,
};
use parking_lot::Mutex;
use shard::{Client, ClientConfig, Location};
use timely::logging::{TimelyEvent, TimelyEventBuilder};

use crate::world::CODEC;

#[test]
fn operators_have_stable_names() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let client = Client::new(Location::mem(), ClientConfig::manual(1_000_000, 1));
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&names);
    let handle = runtime.handle().clone();
    timely::execute(timely::Config::thread(), move |worker| {
        let seen = Arc::clone(&seen);
        let log = worker.log_register();
        log.unwrap()
            .insert::<TimelyEventBuilder, _>("timely", move |_, events| {
                for (_, event) in events.iter().flatten() {
                    if let TimelyEvent::Operates(operator) = event {
                        seen.lock().push(operator.name.clone());
                    }
                }
            });
        let shard = |shard| ShardInput {
            runtime: handle.clone(),
            client: client.clone(),
            shard,
            codec: CODEC.to_owned(),
        };
        let (input, output) = (shard(client.fresh_shard()), shard(client.fresh_shard()));
        let errors = || ErrorHandler::Halt("names".to_owned());
        let token = worker.dataflow::<u64, _, _>(|scope| {
            let mut options = SourceOptions::new("orders", errors());
            options.flow = Some(FlowLimit { bytes: 1, from: 0 });
            let source = shard_source(scope, input, options);
            let view = View {
                rows: source.rows,
                errors: source.errors,
                ends: source.ends,
                inputs: 1,
            };
            let options = SinkOptions {
                name: "big orders".to_owned(),
                as_of: 0,
                writes: WritePermission::Now,
                errors: errors(),
            };
            let sink = view_sink(scope, output, view, options);
            DataflowToken::new(vec![sink.token], vec![source.token])
        });
        drop(token);
        while worker.step() {}
    })
    .unwrap();
    let mut own: Vec<String> = names.lock().clone();
    own.retain(|name| name.contains('('));
    own.sort();
    assert_eq!(
        own,
        [
            "shard_source_decode(big orders, read back)",
            "shard_source_decode(orders)",
            "shard_source_descriptions(big orders, read back)",
            "shard_source_descriptions(orders)",
            "shard_source_fetch(big orders, read back)",
            "shard_source_fetch(orders)",
            "shard_source_flow(orders)",
            "view_sink_append(big orders)",
            "view_sink_mint(big orders)",
            "view_sink_watch(big orders)",
            "view_sink_write(big orders)",
        ]
    );
}
