//! How long statements took: one line of the closing block, and the whole table.

use super::{Style, number, table};
use history::Verdict;
use history::verdict::Latency;

/// The name under which a verdict counts how late visits began.
const LATE: &str = "behind the rate";

/// `read 0.08 ms, 99 % within 0.31 ms, longest 12.4 ms; write …`; `None` where nothing was measured.
pub(super) fn line(v: &Verdict) -> Option<String> {
    let one = |name: &str, word: &str| {
        let l = v.latency.get(name)?;
        let (half, most, longest) = (time(l.p50_ns), time(l.p99_ns), time(l.max_ns));
        Some(format!("{word} {half}, 99 % within {most}, longest {longest}"))
    };
    let both = [
        one(Latency::READS, "read"),
        one(Latency::WRITES, "write"),
        one(LATE, "began late by"),
    ];
    let both: Vec<String> = both.into_iter().flatten().collect();
    (!both.is_empty()).then(|| both.join("; "))
}

/// The table of `gristmill report`: a line a kind of statement; empty where nothing was measured.
pub fn latency(v: &Verdict, style: Style) -> String {
    if v.latency.is_empty() {
        return String::new();
    }
    let head = ["latency", "statements", "p50", "p95", "p99", "p99.9", "longest"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    let together = [Latency::READS, Latency::WRITES, LATE];
    let last = together.iter().filter_map(|name| v.latency.get_key_value(*name));
    let kinds = v
        .latency
        .iter()
        .filter(|(name, _)| !together.contains(&name.as_str()));
    for (name, l) in kinds.chain(last) {
        let name = match name.as_str() {
            Latency::READS => "all reads",
            Latency::WRITES => "all writes",
            other => other,
        };
        let times = [l.p50_ns, l.p95_ns, l.p99_ns, l.p999_ns, l.max_ns].map(time);
        let cells = [name.to_owned(), number(l.count)].into_iter().chain(times);
        lines.push(cells.collect());
    }
    format!("\n{}", table(&lines, &[1, 2, 3, 4, 5, 6], style))
}

/// Three digits: `870 ns`, `81.2 µs`, `12.4 ms`, `1.20 s`.
fn time(ns: u64) -> String {
    let (unit, name) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (1_000, "µs"),
        1_000_000..1_000_000_000 => (1_000_000, "ms"),
        _ => (1_000_000_000, "s"),
    };
    let whole = ns / unit;
    let hundredths = ns % unit * 100 / unit;
    match whole {
        0..10 => format!("{whole}.{hundredths:02} {name}"),
        10..100 => format!("{whole}.{} {name}", hundredths / 10),
        _ => format!("{} {name}", number(whole)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::clean;
    use expect_test::expect;

    #[test]
    fn times_are_shown_by_kind_and_all_together() {
        let mut v = clean();
        assert_eq!((line(&v), latency(&v, Style::default())), (None, String::new()));
        let l = |n: u64| Latency {
            count: n,
            p50_ns: 81_230 * n,
            p95_ns: 99_999 * n,
            p99_ns: 310_000 * n,
            p999_ns: 999_999 * n,
            max_ns: 12_345_678 * n,
        };
        for (kind, n) in [
            ("read-row", 1),
            ("reads", 1),
            ("upsert", 100),
            ("writes", 100),
            (LATE, 9),
        ] {
            v.latency.insert(kind.to_owned(), l(n));
        }
        let line = line(&v).unwrap().replace("; ", ";\n");
        let shown = format!("{line}\n{}", latency(&v, Style::default()));
        expect![[r#"
            read 81.2 µs, 99 % within 310 µs, longest 12.3 ms;
            write 8.12 ms, 99 % within 31.0 ms, longest 1.23 s;
            began late by 731 µs, 99 % within 2.79 ms, longest 111 ms

               latency           statements       p50       p95       p99     p99.9   longest
               read-row                   1   81.2 µs   99.9 µs    310 µs    999 µs   12.3 ms
               upsert                   100   8.12 ms   9.99 ms   31.0 ms   99.9 ms    1.23 s
               all reads                  1   81.2 µs   99.9 µs    310 µs    999 µs   12.3 ms
               all writes               100   8.12 ms   9.99 ms   31.0 ms   99.9 ms    1.23 s
               behind the rate            9    731 µs    899 µs   2.79 ms   8.99 ms    111 ms
        "#]]
        .assert_eq(&shown);
    }
}
