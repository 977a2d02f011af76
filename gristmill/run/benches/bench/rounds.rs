//! Contestants in turn, A B C A B C …, so that a machine that drifts drifts for all of them; figures are medians with
//! their range, ratios are taken round by round.

/// One contestant: a name and what it measured in each round (greater is better).
pub(crate) struct Series {
    name: &'static str,
    per_round: Vec<f64>,
}

impl Series {
    /// Nothing measured yet.
    pub(crate) fn new(name: &'static str) -> Series {
        Series {
            name,
            per_round: Vec::new(),
        }
    }

    /// One round more.
    pub(crate) fn add(&mut self, value: f64) {
        self.per_round.push(value);
    }
}

/// A contestant's turn: does the work and says how many units a second it did.
pub(crate) type Turn<'a> = (&'static str, Box<dyn FnMut() -> f64 + 'a>);

/// Runs every contestant once without counting, then `rounds` times in turn.
pub(crate) fn interleaved(rounds: usize, mut turns: Vec<Turn<'_>>) -> Vec<Series> {
    let mut series: Vec<Series> = turns
        .iter()
        .map(|(name, _)| Series {
            name,
            per_round: Vec::with_capacity(rounds),
        })
        .collect();
    for (_, turn) in &mut turns {
        turn();
    }
    for _ in 0..rounds {
        for ((_, turn), series) in turns.iter_mut().zip(&mut series) {
            series.per_round.push(turn());
        }
    }
    series
}

/// `name   median (least – greatest) unit`
pub(crate) fn print(series: &Series, scale: f64, unit: &str) {
    let (median, least, greatest) = summary(&series.per_round);
    println!(
        "  {:44} {:>9.2} ({:.2} – {:.2}) {unit}",
        series.name,
        median / scale,
        least / scale,
        greatest / scale
    );
}

/// `a ÷ b   median (least – greatest)`, and the goal.
pub(crate) fn ratio(a: &Series, b: &Series, goal: Option<f64>) {
    let ratios: Vec<f64> = a.per_round.iter().zip(&b.per_round).map(|(a, b)| a / b).collect();
    let (median, least, greatest) = summary(&ratios);
    let goal = goal.map_or(String::new(), |g| {
        format!(
            "   goal ≥ {g}: {}",
            if median >= g { "reached" } else { "missed" }
        )
    });
    println!(
        "  {:44} {median:>9.2} ({least:.2} – {greatest:.2}){goal}",
        format!("{} ÷ {}", a.name, b.name)
    );
}

/// Median, least, greatest.
pub(crate) fn summary(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let least = sorted.first().copied().unwrap_or(f64::NAN);
    let greatest = sorted.last().copied().unwrap_or(f64::NAN);
    (
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN),
        least,
        greatest,
    )
}

/// CPU seconds of this thread that `work` took: what one core can do, whatever else the machine does.
pub(crate) fn cpu_seconds<T>(work: impl FnOnce() -> T) -> f64 {
    let now = || {
        let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID);
        std::time::Duration::from(time.expect("Linux measures the CPU time of a thread")).as_secs_f64()
    };
    let began = now();
    std::hint::black_box(work());
    now() - began
}

/// Seconds that `work` took, by the wall.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
pub(crate) fn seconds(work: &mut dyn FnMut()) -> f64 {
    let began = std::time::Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

/// `name   goal ≥ x: reached`
pub(crate) fn goal(series: &Series, least: f64, scale: f64, unit: &str) {
    let (median, ..) = summary(&series.per_round);
    let said = if median >= least { "reached" } else { "missed" };
    println!("  {:44} goal ≥ {:.2} {unit}: {said}", series.name, least / scale);
}

/// A series made of two others, round by round.
pub(crate) fn derived(name: &'static str, a: &Series, b: &Series, of: impl Fn(f64, f64) -> f64) -> Series {
    Series {
        name,
        per_round: a
            .per_round
            .iter()
            .zip(&b.per_round)
            .map(|(a, b)| of(*a, *b))
            .collect(),
    }
}

/// `name   goal ≤ x: reached`
pub(crate) fn at_most(series: &Series, most: f64, unit: &str) {
    let (median, ..) = summary(&series.per_round);
    let said = if median <= most { "reached" } else { "missed" };
    println!("  {:44} goal ≤ {most:.2} {unit}: {said}", series.name);
}
