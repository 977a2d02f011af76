//! Which choices agree at every site: a small constraint solver over yes-or-no variables.
//!
//! A site is a place of an answer (a row, the shared cells) with the variables that touch it and the combinations of them
//! under which it is what was seen. What one site decides is taken to the others; what is left falls apart into groups of
//! variables that share sites, and each group is enumerated.
//!
//! Must not know: what variables and sites stand for.

/// Variables of one site, at most.
pub(crate) const SITE_MAX: usize = 16;

/// Variables of one group, at most: a mask's bits.
const GROUP_MAX: usize = 64;

/// The combinations of some variables that one site allows: bit `i` of a mask is `vars[i]`.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) vars: Vec<usize>,
    pub(crate) allowed: Vec<u64>,
}

/// Variables that depend on each other, and their possible combinations: bit `i` of a mask is `vars[i]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) vars: Vec<usize>,
    pub(crate) masks: Vec<u64>,
}

/// What all sites together allow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Solution {
    /// What is decided; `None`: it is in a group, or it may be either.
    pub(crate) fixed: Vec<Option<bool>>,
    pub(crate) groups: Vec<Group>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsolved {
    /// A site that allows nothing by itself.
    Site(usize),
    /// Each site allows something, together they allow nothing; a variable that they disagree about.
    Torn(usize),
    TooMany,
}

impl Solution {
    /// One of the possible choices, the fewest variables yes that the first masks have.
    pub(crate) fn one(&self) -> Vec<bool> {
        let mut chosen: Vec<bool> = self.fixed.iter().map(|f| *f == Some(true)).collect();
        for group in &self.groups {
            let mask = group
                .masks
                .iter()
                .min_by_key(|m| (m.count_ones(), **m))
                .expect("a group has one");
            for (i, var) in group.vars.iter().enumerate() {
                chosen[*var] = mask >> i & 1 == 1;
            }
        }
        chosen
    }

    /// Whether some possible choice has all of these variables yes.
    pub(crate) fn admits(&self, required: &[usize]) -> bool {
        if required.iter().any(|var| self.fixed[*var] == Some(false)) {
            return false;
        }
        self.groups.iter().all(|group| {
            let bits = group
                .vars
                .iter()
                .enumerate()
                .filter(|(_, var)| required.contains(var))
                .fold(0u64, |bits, (i, _)| bits | 1 << i);
            group.masks.iter().any(|mask| mask & bits == bits)
        })
    }

    /// The variables that are yes in every possible choice.
    pub(crate) fn certain(&self) -> impl Iterator<Item = usize> {
        let grouped = self.groups.iter().flat_map(|group| {
            let all = group.masks.iter().fold(u64::MAX, |a, m| a & m);
            group
                .vars
                .iter()
                .enumerate()
                .filter(move |(i, _)| all >> i & 1 == 1)
                .map(|(_, var)| *var)
        });
        let fixed = self.fixed.iter().enumerate();
        fixed
            .filter(|(_, f)| **f == Some(true))
            .map(|(var, _)| var)
            .chain(grouped)
    }
}

/// All choices of `vars` variables that every site allows; more than `most` combinations in a group are too many.
pub(crate) fn solve(vars: usize, mut sites: Vec<Site>, most: usize) -> Result<Solution, Unsolved> {
    if let Some(at) = sites.iter().position(|s| s.allowed.is_empty()) {
        return Err(Unsolved::Site(at));
    }
    let mut fixed: Vec<Option<bool>> = vec![None; vars];
    propagate(&mut fixed, &mut sites)?;
    for site in &mut sites {
        drop_fixed(&fixed, site);
    }
    sites.retain(|s| !s.vars.is_empty() && s.allowed.len() < 1usize << s.vars.len().min(SITE_MAX + 1));
    let mut groups = Vec::new();
    while let Some(first) = sites.pop() {
        let mut members = vec![first];
        let mut touched = members[0].vars.clone();
        while let Some(at) = sites
            .iter()
            .position(|s| s.vars.iter().any(|v| touched.contains(v)))
        {
            let site = sites.swap_remove(at);
            touched.extend(&site.vars);
            members.push(site);
        }
        groups.push(join(&members, most)?);
    }
    Ok(Solution { fixed, groups })
}

/// Takes what one site decides to the others, until nothing changes.
fn propagate(fixed: &mut [Option<bool>], sites: &mut [Site]) -> Result<(), Unsolved> {
    loop {
        let mut changed = false;
        for site in sites.iter_mut() {
            let (mut known, mut values) = (0u64, 0u64);
            for (i, var) in site.vars.iter().enumerate() {
                if let Some(yes) = fixed[*var] {
                    known |= 1 << i;
                    values |= u64::from(yes) << i;
                }
            }
            let before = site.allowed.len();
            let all = site.allowed.iter().fold(u64::MAX, |a, m| a & m);
            let any = site.allowed.iter().fold(0, |a, m| a | m);
            site.allowed.retain(|m| m & known == values);
            if site.allowed.is_empty() {
                let at = (0..site.vars.len())
                    .find(|i| {
                        known >> i & 1 == 1
                            && (all >> i & 1 == 1) != (values >> i & 1 == 1)
                            && (all >> i & 1 == any >> i & 1)
                    })
                    .or_else(|| (0..site.vars.len()).find(|i| known >> i & 1 == 1));
                return Err(Unsolved::Torn(site.vars[at.unwrap_or(0)]));
            }
            changed |= site.allowed.len() < before;
            let all = site.allowed.iter().fold(u64::MAX, |a, m| a & m);
            let any = site.allowed.iter().fold(0, |a, m| a | m);
            for (i, var) in site.vars.iter().enumerate() {
                let (yes, no) = (all >> i & 1 == 1, any >> i & 1 == 0);
                if fixed[*var].is_none() && (yes || no) {
                    fixed[*var] = Some(yes);
                    changed = true;
                }
            }
        }
        if !changed {
            return Ok(());
        }
    }
}

/// Leaves only what is not decided.
fn drop_fixed(fixed: &[Option<bool>], site: &mut Site) {
    let kept: Vec<usize> = (0..site.vars.len())
        .filter(|i| fixed[site.vars[*i]].is_none())
        .collect();
    let squeeze = |mask: u64| {
        let bit = |(to, from): (usize, &usize)| (mask >> from & 1) << to;
        kept.iter().enumerate().map(bit).fold(0, |a, b| a | b)
    };
    for mask in &mut site.allowed {
        *mask = squeeze(*mask);
    }
    site.allowed.sort_unstable();
    site.allowed.dedup();
    site.vars = kept.iter().map(|i| site.vars[*i]).collect();
}

/// Every combination of the variables of some sites that each of them allows.
fn join(sites: &[Site], most: usize) -> Result<Group, Unsolved> {
    let mut vars: Vec<usize> = Vec::new();
    let mut masks: Vec<u64> = vec![0];
    for site in sites {
        let known = vars.len();
        for var in &site.vars {
            if !vars.contains(var) {
                vars.push(*var);
            }
        }
        if vars.len() > GROUP_MAX {
            return Err(Unsolved::TooMany);
        }
        let place: Vec<usize> = site
            .vars
            .iter()
            .map(|var| vars.iter().position(|v| v == var).expect("just added"))
            .collect();
        let spread: Vec<u64> = site
            .allowed
            .iter()
            .map(|mask| {
                let bit = |(i, at): (usize, &usize)| (mask >> i & 1) << at;
                place.iter().enumerate().map(bit).fold(0, |a, b| a | b)
            })
            .collect();
        let shared = place
            .iter()
            .filter(|at| **at < known)
            .fold(0u64, |a, at| a | 1 << at);
        let mut next = Vec::new();
        for mask in &masks {
            for allowed in spread.iter().filter(|a| *a & shared == mask & shared) {
                next.push(mask | allowed);
                if next.len() > most {
                    return Err(Unsolved::TooMany);
                }
            }
        }
        if next.is_empty() {
            let at = place.iter().find(|at| **at < known).copied().unwrap_or(0);
            return Err(Unsolved::Torn(vars[at]));
        }
        masks = next;
    }
    masks.sort_unstable();
    masks.dedup();
    Ok(Group { vars, masks })
}

#[cfg(test)]
mod tests;
