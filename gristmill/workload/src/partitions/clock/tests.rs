use super::{Clock, Policy};
use history::Lts;
use std::collections::BTreeMap;

const POLICIES: [Policy; 5] = [
    Policy::Rising,
    Policy::Ties { group: 4 },
    Policy::Regressions { window: 7 },
    Policy::Regressions { window: 100 },
    Policy::Skewed { clients: 5, by: 30 },
];

#[test]
fn timestamps_lead_back_to_all_their_visits() {
    for policy in POLICIES {
        let clock = Clock { base: -50, policy };
        let mut visits: BTreeMap<i64, Vec<Lts>> = BTreeMap::new();
        for lts in (1..=700).map(Lts) {
            visits.entry(clock.timestamp(9, lts)).or_default().push(lts);
        }
        for (timestamp, all) in visits {
            let found = clock.lts(9, timestamp);
            assert!(
                all.iter().all(|lts| found.contains(lts)),
                "{policy:?}: {timestamp}"
            );
            assert!(
                found.iter().all(|lts| clock.timestamp(9, *lts) == timestamp),
                "{policy:?}"
            );
        }
        assert_eq!(clock.lts(9, i64::MIN), [], "{policy:?}");
    }
}

#[test]
fn no_timestamp_falls_further_than_its_policy_says() {
    for policy in POLICIES {
        let clock = Clock { base: 0, policy };
        let mut highest = i64::MIN;
        let mut fell = 0;
        for lts in (1..=2000).map(Lts) {
            let timestamp = clock.timestamp(3, lts);
            fell = fell.max(highest.saturating_sub(timestamp));
            highest = highest.max(timestamp);
        }
        assert!(fell <= clock.displacement(), "{policy:?}: {fell}");
        assert_eq!(fell > 0, clock.displacement() > 0, "{policy:?}");
    }
}
