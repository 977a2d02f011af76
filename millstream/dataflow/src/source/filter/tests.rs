use super::*;

#[test]
fn kept_parts_earn_what_the_audit_spends() {
    let mut audit = Audit::new(100, 0, Mutant::None);
    assert_eq!(
        audit.decide(FilterResult::Discard, "a", 10, None),
        Decision::Skip,
        "nothing earned yet"
    );
    assert_eq!(
        audit.decide(FilterResult::Keep, "b", 25, None),
        Decision::Fetch { audited: false }
    );
    assert_eq!(
        audit.decide(FilterResult::Discard, "c", 10, None),
        Decision::Fetch { audited: true }
    );
    assert_eq!(
        audit.decide(FilterResult::Discard, "d", 10, None),
        Decision::Fetch { audited: true }
    );
    assert_eq!(
        audit.decide(FilterResult::Discard, "e", 10, None),
        Decision::Skip,
        "5 are left"
    );
}

#[test]
fn a_share_of_the_discarded_parts_is_audited_by_key() {
    let mut audit = Audit::new(10, 1 << 40, Mutant::None);
    let chosen = (0..1000)
        .filter(|n| audit.decide(FilterResult::Discard, &n.to_string(), 1, None) != Decision::Skip)
        .count();
    assert!((70..130).contains(&chosen), "{chosen} of 1000 at ten percent");
}

#[test]
fn a_part_is_replaced_only_when_its_sum_is_known() {
    let mut audit = Audit::new(0, 0, Mutant::None);
    let replace = || FilterResult::ReplaceWith(b"row".to_vec());
    assert_eq!(
        audit.decide(replace(), "a", 1, Some(7)),
        Decision::Replace {
            row: b"row".to_vec(),
            diff: 7
        }
    );
    assert_eq!(
        audit.decide(replace(), "a", 1, None),
        Decision::Fetch { audited: false }
    );
}
