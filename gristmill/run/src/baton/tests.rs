use super::Baton;
use parking_lot::Mutex;

/// Who moved, in order: each session moves `moves` times; after a move it parks, meets a busy lock or passes.
fn moves(seed: u64, sessions: u16, moves: u32) -> Vec<u16> {
    let baton = Baton::new(seed, sessions);
    let order = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for me in 1..=sessions {
            let (baton, order) = (&baton, &order);
            scope.spawn(move || {
                baton.join(me);
                for i in 0..moves {
                    order.lock().push(me);
                    match (u32::from(me) + i) % 5 {
                        0 => baton.park(me),
                        1 => baton.busy(me),
                        2 => {
                            baton.wake();
                            baton.pass(me);
                        }
                        _ => baton.pass(me),
                    }
                }
                baton.wake();
                baton.leave(me);
            });
        }
    });
    order.into_inner()
}

#[test]
fn one_seed_gives_one_order_of_moves() {
    let first = moves(7, 5, 200);
    assert_eq!(first.len(), 1000);
    for _ in 0..5 {
        assert_eq!(moves(7, 5, 200), first);
    }
    assert_ne!(moves(8, 5, 200), first);
}

#[test]
fn a_single_session_always_moves() {
    assert_eq!(moves(1, 1, 9), vec![1; 9]);
}
