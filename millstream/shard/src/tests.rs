//! Handles over memory, one story at a time.

use crate::{Client, ClientConfig, Frontier, Location, Update, block_on};

fn manual() -> Client {
    Client::new(Location::mem(), ClientConfig::manual(1_000, 1))
}

#[test]
fn what_was_appended_is_read_at_each_time() {
    block_on(async {
        let client = manual();
        let shard = client.fresh_shard();
        let writer = client.open_writer(shard, "utf8", "test").await.unwrap();
        let reader = client.open_leased_reader(shard, "utf8", "test").await.unwrap();
        let first = [Update::new("a", 0, 1), Update::new("b", 1, 2)];
        writer
            .compare_and_append(&first, Frontier::At(0), Frontier::At(2))
            .await
            .unwrap();
        let second = [Update::new("a", 3, -1)];
        writer
            .compare_and_append(&second, Frontier::At(2), Frontier::At(5))
            .await
            .unwrap();
        let at = |t| reader.snapshot_and_fetch(t);
        assert_eq!(at(0).await.unwrap(), [Update::new("a", 0, 1)]);
        assert_eq!(
            at(2).await.unwrap(),
            [Update::new("a", 2, 1), Update::new("b", 2, 2)]
        );
        assert_eq!(at(4).await.unwrap(), [Update::new("b", 4, 2)]);
        let mut listen = reader.listen(1).await.unwrap();
        assert_eq!(
            listen.fetch_next().await.unwrap().unwrap(),
            (vec![], Frontier::At(2))
        );
        let (updates, progress) = listen.fetch_next().await.unwrap().unwrap();
        assert_eq!(
            (updates, progress),
            (vec![Update::new("a", 3, -1)], Frontier::At(5))
        );
    });
}

/// Tasks of a runtime must be able to carry every future of the face.
#[test]
fn futures_of_handles_can_move_between_threads() {
    fn send<T: Send>(_: &T) {}
    let client = manual();
    let shard = client.fresh_shard();
    block_on(async {
        send(&client.finalize(shard, "x"));
        send(&client.step_maintenance(shard));
        let writer = client.open_writer(shard, "x", "test");
        send(&writer);
        let writer = writer.await.unwrap();
        send(&writer.append(&[], Frontier::MIN, Frontier::At(1)));
        let reader = client.open_leased_reader(shard, "x", "test").await.unwrap();
        send(&reader.snapshot(0));
        send(&reader.downgrade_since(Frontier::MIN));
        let mut listen = reader.listen(0).await.unwrap();
        send(&listen.next());
        let fetcher = client.create_batch_fetcher(shard, "x").await.unwrap();
        send(&fetcher);
    });
}
