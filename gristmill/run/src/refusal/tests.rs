use super::{Explained, Witnesses, explain};
use history::{Kind, ReasonKind};

/// What nothing explains, and what becomes expected by which witness.
#[test]
fn a_refusal_needs_its_own_witness() {
    let none = Witnesses::default();
    let all = Witnesses {
        building: false,
        company: true,
        cancel: true,
        connection: true,
        outside: true,
        failed_before: true,
        restarted: true,
        may_be_duplicate: true,
    };
    let cases = [
        (
            ReasonKind::Duplicate,
            Kind::UnexpectedError,
            Witnesses {
                may_be_duplicate: false,
                ..all
            },
        ),
        (
            ReasonKind::Serialization,
            Kind::UnexpectedError,
            Witnesses {
                company: false,
                ..all
            },
        ),
        (
            ReasonKind::Deadlock,
            Kind::UnexpectedError,
            Witnesses {
                company: false,
                ..all
            },
        ),
        (
            ReasonKind::Busy,
            Kind::UnexpectedError,
            Witnesses {
                company: false,
                ..all
            },
        ),
        (
            ReasonKind::Cancelled,
            Kind::UnexpectedError,
            Witnesses {
                cancel: false,
                connection: false,
                outside: false,
                ..all
            },
        ),
        (
            ReasonKind::Deadline,
            Kind::Hang,
            Witnesses {
                connection: false,
                ..all
            },
        ),
        (
            ReasonKind::Disconnected,
            Kind::Crash,
            Witnesses {
                connection: false,
                outside: false,
                ..all
            },
        ),
        (
            ReasonKind::RolledBack,
            Kind::UnexpectedError,
            Witnesses {
                failed_before: false,
                ..all
            },
        ),
        (
            ReasonKind::InFailedTransaction,
            Kind::UnexpectedError,
            Witnesses {
                failed_before: false,
                ..all
            },
        ),
    ];
    for (reason, kind, all_but) in cases {
        assert_eq!(explain(reason, all), Explained::Expected, "{reason:?}");
        assert_eq!(explain(reason, all_but), Explained::Finding(kind), "{reason:?}");
    }
    assert_eq!(
        explain(ReasonKind::Other, all),
        Explained::Finding(Kind::UnexpectedError)
    );
    assert_eq!(
        explain(ReasonKind::Disconnected, none),
        Explained::Finding(Kind::UnexpectedError)
    );
}
