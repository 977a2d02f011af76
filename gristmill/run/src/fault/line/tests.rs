use super::{Due, Line};
use crate::fault::FaultKind;
use history::{Address, Lts, SessionId};

fn due(kind: FaultKind, lts: u64) -> Due {
    let address = Address {
        lts: Lts(lts),
        attempt: 0,
        step: 0,
    };
    Due {
        kind,
        who: SessionId(1),
        address,
    }
}

#[test]
fn what_meets_another_one_under_way_comes_after_it_and_none_is_left_out() {
    let line = Line::default();
    let all = [
        due(FaultKind::Kill, 1),
        due(FaultKind::Restart, 2),
        due(FaultKind::Flush, 3),
    ];
    assert!(!line.is_open());
    assert!(line.enter(all[0]));
    assert!(!line.enter(all[1]));
    assert!(!line.enter(all[2]));
    assert_eq!(line.leave(), Some(all[1]));
    assert!(line.is_open());
    assert!(!line.enter(all[0]), "the second is under way");
    assert_eq!(line.leave(), Some(all[2]));
    assert_eq!(line.leave(), Some(all[0]));
    assert_eq!(line.leave(), None);
    assert!(!line.is_open());
    assert!(line.enter(all[1]));
}

#[test]
fn who_waits_at_the_end_of_the_load_is_sent_home() {
    let line = Line::default();
    assert!(line.enter(due(FaultKind::Kill, 1)));
    assert!(!line.enter(due(FaultKind::Kill, 2)));
    line.disperse();
    assert!(line.is_open(), "the first is not over");
    assert_eq!(line.leave(), None);
    assert!(!line.is_open());
}
