//! Tests of source and sink: every interleaving is scripted, nothing sleeps.

mod gate;
mod puppets;
mod stage;
mod world;

use dataflow::Mutant;
use world::World;

#[test]
fn smoke() {
    let mut w = World::new(2, Mutant::None);
    w.append_each(0..5);
    let f = w.install(|_| ());
    w.settle();
    w.expect_frontier(f, Some(5));
    println!("{:?}", w.rows(f));
    let key = w.key_at(2);
    w.gate.set(&key, gate::Rule::Missing);
    let f = w.install(|_| ());
    w.settle();
    println!("{:?} {:?}", w.rows(f), w.errors(f));
    w.expect_frontier(f, Some(2));
}
