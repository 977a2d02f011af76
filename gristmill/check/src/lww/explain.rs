//! Whether some choice of the visits that may be visible explains a read.
//!
//! ```text
//!  nothing chosen: fits? ── yes ──▶ done, nothing is certain
//!        │ no
//!  rows named by their keys? ── yes ──▶ each row and the shared cells are a site of their own: solve
//!        │ no                                   │ none ▶ torn, or the row that nothing explains
//!  every choice within the budget               ▼
//!        └──────────────────────────────▶ one of them, compared in full ▶ explained
//! ```

use super::judge::Racing;
use super::scene::{Around, Entries, Grain, Scene, Shows, Spot, What};
use super::see::Viewer;
use super::solve::{Group, SITE_MAX, Site, Solution, Unsolved, solve};
use crate::evaluate::{Plan, explains, passes, projected};
use crate::judged::{Explanation, Stage};
use crate::layout::{Source, TableLayout};
use crate::lww::difference;
use crate::lww::effects::stamp;
use crate::lww::seen::{Open, Raced};
use crate::scene::TOO_MANY;
use datagen::value::Value;
use history::{Answered, Atomic, Check, From, Part, Parts, Query, RowChoice, Rows, Select, Visit};
use std::collections::BTreeMap;
use std::ops::Range;

/// Why an answer is not compared: see [`crate::Options::check`].
pub(crate) const BY_PLAN: &str = "by plan: a visit overlaps it";
const CLASH: &str = "two expiring values with one timestamp";
const PAGES: &str = "the pages of the answer cannot be told apart";

/// Touching variables of a site above which those that cannot be are left out before the rest is tried.
const SIEVED: usize = 6;

/// A cell of an answer.
#[derive(Debug, Clone, Copy)]
struct SeenCell {
    source: Source,
    /// `None`: NULL.
    d: Option<u64>,
    /// Its timestamp, where that was asked for and it has one.
    timestamp: Option<i64>,
    /// How long it has still to live (`None`: for ever, or it is NULL), where that was asked for.
    ttl: Option<Option<i64>>,
}

/// What an answer shows of one partition.
#[derive(Default)]
struct Shown {
    rows: BTreeMap<u64, Vec<SeenCell>>,
    /// A row of shared cells alone.
    alone: bool,
    /// The shared cells, where a row shows them.
    shared: Option<Vec<SeenCell>>,
    /// Positions that the answer says nothing about, past a limit.
    from: u64,
    to: u64,
}

/// What was asked, with its plan.
pub(crate) struct Case<'a> {
    pub(crate) racing: &'a Racing,
    pub(crate) answered: &'a Answered,
    pub(crate) visit: &'a Visit,
    pub(crate) query: &'a Query,
    pub(crate) rows: &'a Rows,
    pub(crate) table: &'a TableLayout,
    pub(crate) plan: &'a Plan<'a>,
}

/// The places of a read: its partitions at its level.
pub(crate) fn entries(racing: &Racing, query: &Query, table: &TableLayout, visit: &Visit) -> Entries {
    let entry = |part| (part, racing.store.entry(part, stamp(visit).consistency));
    table.parts_of(query, visit.lts).into_iter().map(entry).collect()
}

/// Judges a read by itself. `lazily`: where nothing chosen fits, the choices are not looked for.
pub(crate) fn read(case: &Case<'_>, lazily: bool) -> Stage {
    let (racing, a) = (case.racing, case.answered);
    let viewer = Viewer {
        snapshot: a.snapshot,
        session: a.session,
        consistency: stamp(case.visit).consistency,
    };
    let around = racing.around();
    let entries = entries(racing, case.query, case.table, case.visit);
    let mut scene = match Scene::set(&around, case.table, viewer, &entries) {
        Ok(scene) => scene,
        Err(why) => return Stage::NotCompared(why),
    };
    let open = scene.has_open();
    if racing.options.check == Check::Quiescent && open {
        return Stage::NotCompared(BY_PLAN);
    }
    let explanation = Explanation {
        read: true,
        rows: case.rows.len() as u64,
        cells: (case.rows.len() * case.plan.width()) as u64,
        overlapped: open,
        replayed: scene.replayed(),
        ..Explanation::of(case.query.kind())
    };
    match scene.under(&[], |views| explains(case.plan, views, case.rows)) {
        Some(true) if lazily || scene.vars.is_empty() => {
            let raced = Raced {
                open: opens(&scene),
                solution: None,
                consistency: viewer.consistency,
                answered: (!scene.vars.is_empty()).then(|| Box::new(a.clone())),
            };
            return Stage::Raced(explanation, Box::new(raced));
        }
        Some(false) if scene.vars.is_empty() => {
            return Stage::Broken(Box::new(difference::of_read(case, &mut scene, &[])));
        }
        None if scene.vars.is_empty() => return Stage::NotCompared(CLASH),
        _ => {}
    }
    match choose(case, &around, &mut scene) {
        Ok(solution) => {
            let raced = Raced {
                open: opens(&scene),
                solution: Some(solution),
                consistency: viewer.consistency,
                answered: None,
            };
            Stage::Raced(explanation, Box::new(raced))
        }
        Err(stage) => stage,
    }
}

fn opens(scene: &Scene<'_>) -> Vec<Open> {
    let parts = scene.parts();
    scene
        .vars
        .iter()
        .map(|var| Open {
            part: parts[var.place],
            lts: var.lts,
            what: var.what.clone(),
            by: var.overlap.by,
        })
        .collect()
}

/// Every choice that explains the answer. `Err`: what is said instead.
fn choose(case: &Case<'_>, around: &Around<'_>, scene: &mut Scene<'_>) -> Result<Solution, Stage> {
    let shown = shown(case, scene);
    let racing = case.racing;
    let schema = racing.history.schema(case.answered.address.lts);
    let by_index = racing.options.may_use_index(&racing.claim, case.query, &schema);
    // A full page is followed by another one, which may have been empty.
    let paged = case.racing.claim.atomic != Atomic::Visit
        && case
            .query
            .extras
            .page
            .is_some_and(|n| n > 0 && case.rows.len() >= n as usize);
    let mut moments = None;
    if case.racing.store.promise.replicas > 1 {
        if paged {
            moments = shown.as_ref().and_then(|_| pages(case, &scene.parts()));
        }
        scene.vary(around, &Grain::Cell, moments.as_deref());
    } else if by_index {
        let rows = row_by_row(scene);
        moments = paged.then(|| rows.clone());
        scene.vary(around, &Grain::Pages(rows), moments.as_deref());
        if shown.is_none() && case.table.shared_count() > 0 {
            return as_one_page(case, scene);
        }
    } else if paged {
        let pages = shown.as_ref().and_then(|_| pages(case, &scene.parts()));
        let Some(pages) = pages else {
            return as_one_page(case, scene);
        };
        moments = Some(pages.clone());
        scene.vary(around, &Grain::Pages(pages), moments.as_deref());
    }
    let in_turn = moments.is_some() && !by_index;
    match shown {
        Some(shown) => by_sites(case, scene, &shown, paged || by_index, in_turn),
        None => by_trying(case, scene),
    }
}

/// What an index finds, place by place: each row is fetched by itself. The first is of the shared cells alone.
fn row_by_row(scene: &Scene<'_>) -> Vec<Vec<Range<u64>>> {
    let all = |place| {
        let mut rows = scene.written(place);
        rows.extend(scene.place(place).1.rows().iter().map(|(at, _)| *at));
        rows.sort_unstable();
        rows.dedup();
        std::iter::once(0..0)
            .chain(rows.into_iter().map(|at| at..at + 1))
            .collect()
    };
    (0..scene.parts().len()).map(all).collect()
}

/// Where nobody can tell which row was on which page: whether they may have come on one. Then it is explained, though which
/// visits it shows is not certain; else nobody knows.
fn as_one_page(case: &Case<'_>, scene: &mut Scene<'_>) -> Result<Solution, Stage> {
    match by_trying(case, scene) {
        // What has expired on one page has expired on those after it, too.
        Ok(solution) if !scene.has_open() => Ok(solution),
        Ok(_) => Ok(Solution {
            fixed: vec![None; scene.vars.len()],
            groups: Vec::new(),
        }),
        Err(Stage::Broken(_)) => Err(Stage::NotCompared(PAGES)),
        Err(other) => Err(other),
    }
}

/// Where rows name themselves: each is a site. `in_turn`: pages were read one after another, in their order.
fn by_sites(
    case: &Case<'_>,
    scene: &mut Scene<'_>,
    shown: &[Shown],
    paged: bool,
    in_turn: bool,
) -> Result<Solution, Stage> {
    let mut sites = Vec::new();
    if in_turn {
        // What has expired on one page has expired on those after it, too.
        let on = |var: usize| match scene.vars[var].what {
            What::ExpiredOn(_) => Some((scene.vars[var].place, scene.vars[var].lts)),
            _ => None,
        };
        for later in 1..scene.vars.len() {
            if on(later).is_some() && on(later) == on(later - 1) {
                sites.push(Site {
                    vars: vec![later - 1, later],
                    allowed: vec![0b00, 0b10, 0b11],
                });
            }
        }
    }
    for (place, seen) in shown.iter().enumerate() {
        for spot in spots_of(case, scene, place, seen) {
            if spot == Spot::Shared && paged {
                // Each page has its own: nothing is asked of them beyond what the rows say.
                continue;
            }
            match site(case, scene, place, spot, seen) {
                Ok(site) => sites.extend(site),
                Err(why) => return Err(Stage::NotCompared(why)),
            }
        }
    }
    let most = case.racing.options.choices_max as usize;
    match solve(scene.vars.len(), sites.clone(), most) {
        Ok(solution) => {
            let one = solution.one();
            if paged {
                return Ok(solution);
            }
            match scene.under(&one, |views| explains(case.plan, views, case.rows)) {
                Some(true) => Ok(solution),
                // The rows agree; another choice may put them in this order.
                Some(false) if orders_unseen(case.query) => by_trying(case, scene),
                Some(false) => Err(Stage::Broken(Box::new(difference::of_read(case, scene, &one)))),
                None => Err(Stage::NotCompared(CLASH)),
            }
        }
        Err(Unsolved::TooMany) => Err(Stage::NotCompared(TOO_MANY)),
        Err(Unsolved::Torn(var)) => Err(Stage::Broken(Box::new(difference::torn(case, scene, var)))),
        Err(Unsolved::Site(_)) => {
            // What the other sites say makes the choice under which the difference is told.
            sites.retain(|s| !s.allowed.is_empty());
            let chosen = loop {
                match solve(scene.vars.len(), sites.clone(), most) {
                    Ok(solution) => break solution.one(),
                    Err(Unsolved::TooMany) => break Vec::new(),
                    Err(Unsolved::Torn(var)) => sites.retain(|s| !s.vars.contains(&var)),
                    Err(Unsolved::Site(at)) => drop(sites.remove(at)),
                }
            };
            Err(Stage::Broken(Box::new(difference::of_read(case, scene, &chosen))))
        }
    }
}

/// Whether rows come in the order of something that they do not show.
fn orders_unseen(query: &Query) -> bool {
    let Select::Columns(columns) = &query.select else {
        return false;
    };
    query.order.iter().any(|(column, _)| !columns.contains(column))
}

/// The rows and shared cells of a partition that the answer says something about.
fn spots_of(case: &Case<'_>, scene: &Scene<'_>, place: usize, seen: &Shown) -> Vec<Spot> {
    let mut rows = scene.written(place);
    rows.extend(scene.place(place).1.rows().iter().map(|(p, _)| *p));
    rows.extend(seen.rows.keys());
    rows.sort_unstable();
    rows.dedup();
    let mut spots: Vec<Spot> = rows
        .into_iter()
        .filter(|p| (seen.from..=seen.to).contains(p) && chooses(case, *p))
        .map(Spot::Row)
        .collect();
    let alone = seen.rows.is_empty() && case.plan.shows_shared_alone();
    if case.table.shared_count() > 0 && (alone || seen.shared.is_some()) {
        spots.push(Spot::Shared);
    }
    spots
}

fn chooses(case: &Case<'_>, position: u64) -> bool {
    match &case.query.rows {
        RowChoice::All => true,
        RowChoice::One(at) => *at == position,
        RowChoice::In(list) => list.contains(&position),
        RowChoice::Slice(slice) => case.table.rows_of(slice).contains(&position),
    }
}

/// The combinations of the variables of a spot that leave what was seen there. More than one site where variables are
/// decided beforehand.
fn site(
    case: &Case<'_>,
    scene: &Scene<'_>,
    place: usize,
    spot: Spot,
    seen: &Shown,
) -> Result<Vec<Site>, &'static str> {
    let mut touching = scene.touching(place, spot);
    let mut sites = Vec::new();
    if touching.len() > SIEVED {
        let cells: &[SeenCell] = match spot {
            Spot::Row(at) => seen.rows.get(&at).map_or(&[], |c| c),
            Spot::Shared => seen.shared.as_deref().unwrap_or(&[]),
        };
        for SeenCell {
            source, d, timestamp, ..
        } in cells
        {
            let (Source::Regular(column) | Source::Shared(column), Some(d)) = (source, d) else {
                continue;
            };
            if matches!(source, Source::Shared(_)) != (spot == Spot::Shared)
                || !case.table.is_one_cell(*source)
            {
                continue;
            }
            let Some(newest) = scene.newest_of(place, spot, *column, *d, *timestamp) else {
                continue;
            };
            touching.retain(|var| {
                let hidden = scene.hides(*var, spot, *column, newest);
                if hidden {
                    sites.push(Site {
                        vars: vec![*var],
                        allowed: vec![0],
                    });
                }
                !hidden
            });
        }
    }
    if touching.len() > SITE_MAX {
        return Err(TOO_MANY);
    }
    let mut allowed = Vec::new();
    for mask in 0..1u64 << touching.len() {
        let left = scene.leaves(place, spot, &touching, mask).map_err(|_| CLASH)?;
        if is_seen(case, spot, seen, &left) {
            allowed.push(mask);
        }
    }
    sites.push(Site {
        vars: touching,
        allowed,
    });
    Ok(sites)
}

/// Whether what a choice leaves in a spot is what the answer shows.
fn is_seen(case: &Case<'_>, spot: Spot, seen: &Shown, left: &Shows) -> bool {
    let equal = |cells: &[SeenCell]| {
        cells.iter().all(|seen| {
            let at = match (seen.source, spot) {
                (Source::Regular(c), Spot::Row(_)) | (Source::Shared(c), Spot::Shared) => c,
                _ => return true,
            };
            let stands = left.as_ref().and_then(|cells| cells[at]);
            let lives = match (seen.ttl, stands.and_then(|s| s.life)) {
                (None, _) | (Some(None), None) => true,
                (Some(Some(ttl)), Some((fewest, most))) => (fewest..=most).contains(&ttl),
                (Some(_), _) => false,
            };
            let dated = seen.timestamp.is_none() || stands.map(|s| s.timestamp) == seen.timestamp;
            stands.map(|s| s.value) == seen.d && dated && lives
        })
    };
    match spot {
        Spot::Shared => match &seen.shared {
            Some(cells) => equal(cells) && (!seen.alone || left.is_some()),
            None => left.is_none(),
        },
        Spot::Row(at) => {
            let kept = left.as_ref().is_some_and(|cells| {
                case.plan.filter.iter().all(|(source, p)| {
                    let Source::Regular(c) = source else { return true };
                    let d = cells[*c].map(|stood| case.table.class(*source, stood.value));
                    passes(case.plan, *source, p, d)
                })
            });
            match seen.rows.get(&at) {
                Some(cells) => kept && equal(cells),
                None => !kept,
            }
        }
    }
}

/// What the answer shows, partition by partition; `None` where its rows do not name themselves, or cannot be read.
fn shown(case: &Case<'_>, scene: &Scene<'_>) -> Option<Vec<Shown>> {
    let (query, plan, table) = (case.query, case.plan, case.table);
    let Select::Columns(columns) = &query.select else {
        return None;
    };
    let one = matches!(query.parts, Parts::One(_));
    let limited = query.limit.is_some() && !(one && plan.natural.is_some() && query.offset == 0);
    let joined = plan
        .filter
        .iter()
        .any(|(source, _)| matches!(source, Source::Shared(_)));
    if limited || joined || !matches!(query.from, From::Table | From::LeftJoin) {
        return None;
    }
    let parts = scene.parts();
    let mut all: Vec<Shown> = parts
        .iter()
        .map(|_| Shown {
            to: u64::MAX,
            ..Shown::default()
        })
        .collect();
    let keyed =
        (0..table.row_key_count()).all(|j| columns.iter().any(|c| table.source(*c) == Source::RowKey(j)));
    for row in case.rows.iter() {
        let values = decode(row)?;
        if values.len() != plan.width() {
            return None;
        }
        let (cells, beside) = values.split_at(columns.len());
        let (stamps, ttls) = beside.split_at(plan.stamps.len());
        let (part, position) = table.locate(columns, cells);
        let place = match part {
            _ if one => 0,
            Some(position) => parts.iter().position(|p| p.position == position)?,
            None => return None,
        };
        let mut seen = Vec::with_capacity(columns.len());
        let (mut stamps, mut ttls) = (stamps.iter(), ttls.iter());
        for (column, value) in columns.iter().zip(cells) {
            let source = table.source(*column);
            let d = match value {
                Value::Null => None,
                value => Some(table.descriptor_of(source, value)?),
            };
            let is_cell = table.is_one_cell(source);
            let timestamp = match stamps.as_slice().first().filter(|_| is_cell) {
                Some(Value::Int(t)) => Some(*t),
                // NULL beside a value: no timestamp is right.
                Some(_) if d.is_some() => return None,
                _ => None,
            };
            if is_cell {
                stamps.next();
            }
            let answered = if is_cell { ttls.next() } else { None };
            let ttl = match answered {
                None => None,
                Some(Value::Null) => Some(None),
                Some(Value::Int(n)) => Some(Some(*n)),
                Some(_) => return None,
            };
            seen.push(SeenCell {
                source,
                d,
                timestamp,
                ttl,
            });
        }
        let shared: Vec<SeenCell> = seen
            .iter()
            .filter(|seen| matches!(seen.source, Source::Shared(_)))
            .copied()
            .collect();
        let shown = &mut all[place];
        let no_key = table.row_key_count() > 0
            && keyed
            && seen
                .iter()
                .all(|seen| !matches!(seen.source, Source::RowKey(_)) || seen.d.is_none());
        if no_key {
            if !plan.shows_shared_alone() || !shown.rows.is_empty() || shown.alone {
                return None;
            }
            shown.alone = true;
            shown.shared = Some(shared);
            continue;
        }
        let position = match (&query.rows, position) {
            (RowChoice::One(at), None) if one => *at,
            (_, position) => position.filter(|_| keyed)?,
        };
        if shown.alone || !chooses(case, position) {
            return None;
        }
        if !shared.is_empty() {
            shown.shared.get_or_insert(shared);
        }
        if shown.rows.insert(position, seen).is_some() {
            return None;
        }
    }
    if !keyed && !matches!(query.rows, RowChoice::One(_)) && !case.rows.is_empty() {
        return None;
    }
    for shown in &mut all {
        let full = |n: Option<u32>| n.is_some_and(|n| shown.rows.len() == n as usize);
        let over = |n: Option<u32>| n.is_some_and(|n| shown.rows.len() > n as usize);
        let limit = query.limit.filter(|_| one);
        if over(limit) || over(query.extras.per_partition) {
            return None;
        }
        if full(limit) || full(query.extras.per_partition) {
            let (first, last) = (shown.rows.keys().next(), shown.rows.keys().next_back());
            if plan.natural == Some(true) {
                shown.from = *first?;
            } else {
                shown.to = *last?;
            }
        }
    }
    Some(all)
}

/// The positions of each page, place by place; `None` where rows do not follow each other. What comes after a full page is read
/// with the next one, and be it nothing.
fn pages(case: &Case<'_>, parts: &[Part]) -> Option<Vec<Vec<Range<u64>>>> {
    let backwards = case.plan.natural?;
    let one = matches!(case.query.parts, Parts::One(_));
    let columns = projected(&case.query.select);
    let size = case.query.extras.page? as usize;
    // Positions in the order of the answer, and whether a page ends there.
    let mut seen: Vec<Vec<(u64, bool)>> = vec![Vec::new(); parts.len()];
    let mut before = None;
    for (i, row) in case.rows.iter().enumerate() {
        let values = decode(row)?;
        let (part, position) = case.table.locate(columns, &values);
        let place = match part {
            _ if one => 0,
            Some(position) => parts.iter().position(|p| p.position == position)?,
            None => return None,
        };
        // Partitions come one after another.
        if before.replace(place) != Some(place) && !seen[place].is_empty() {
            return None;
        }
        // Without a position: a row of shared cells alone.
        if let Some(position) = position {
            seen[place].push((position, (i + 1).is_multiple_of(size)));
        }
    }
    let cut = |rows: Vec<(u64, bool)>| {
        let follows = |w: &[(u64, bool)]| match backwards {
            true => w[1].0 < w[0].0,
            false => w[0].0 < w[1].0,
        };
        if !rows.windows(2).all(follows) {
            return None;
        }
        let mut pages = Vec::new();
        let mut left = 0..u64::MAX;
        for (at, _) in rows.into_iter().filter(|(_, ends)| *ends) {
            if backwards {
                pages.push(at..left.end);
                left.end = at;
            } else {
                pages.push(left.start..at + 1);
                left.start = at + 1;
            }
        }
        pages.push(left);
        Some(pages)
    };
    seen.into_iter().map(cut).collect()
}

fn decode(mut row: &[u8]) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    while !row.is_empty() {
        values.push(Value::decode(&mut row).ok()?);
    }
    Some(values)
}

/// Where rows do not name themselves: every choice of the variables that matter.
fn by_trying(case: &Case<'_>, scene: &mut Scene<'_>) -> Result<Solution, Stage> {
    let mut vars: Vec<usize> = Vec::new();
    for place in 0..scene.parts().len() {
        let mut spots: Vec<Spot> = scene.written(place).into_iter().map(Spot::Row).collect();
        spots.extend(scene.place(place).1.rows().iter().map(|(p, _)| Spot::Row(*p)));
        spots.retain(|spot| matches!(spot, Spot::Row(p) if chooses(case, *p)));
        spots.push(Spot::Shared);
        vars.extend(spots.into_iter().flat_map(|spot| scene.touching(place, spot)));
    }
    vars.sort_unstable();
    vars.dedup();
    let most = u64::from(case.racing.options.choices_max);
    if vars.len() > 20 || 1u64 << vars.len() > most {
        return Err(Stage::NotCompared(TOO_MANY));
    }
    let mut masks = Vec::new();
    let mut clash = false;
    for mask in 0..1u64 << vars.len() {
        let chosen = chosen(scene.vars.len(), &vars, mask);
        match scene.under(&chosen, |views| explains(case.plan, views, case.rows)) {
            Some(true) => masks.push(mask),
            Some(false) => {}
            None => clash = true,
        }
    }
    if masks.is_empty() {
        if clash {
            return Err(Stage::NotCompared(CLASH));
        }
        return Err(Stage::Broken(Box::new(difference::of_tried(case, scene, &vars))));
    }
    let fixed = vec![None; scene.vars.len()];
    let groups = vec![Group { vars, masks }];
    Ok(Solution { fixed, groups })
}

/// A choice as a list over all variables.
pub(crate) fn chosen(all: usize, vars: &[usize], mask: u64) -> Vec<bool> {
    let mut chosen = vec![false; all];
    for (i, var) in vars.iter().enumerate() {
        chosen[*var] = mask >> i & 1 == 1;
    }
    chosen
}

impl What {
    /// Whether it means the same in other reads.
    pub(crate) fn lasts(&self) -> bool {
        !matches!(self, What::Page(_) | What::ExpiredOn(_))
    }
}
