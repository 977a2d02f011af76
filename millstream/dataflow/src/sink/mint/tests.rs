use super::*;

fn at(time: u64) -> Frontier {
    Frontier::At(time)
}

#[test]
fn a_description_runs_from_the_shards_end_to_the_views() {
    let mut mint = Mint::new(3, 0, false, Mutant::None);
    assert_eq!(mint.next(), None);
    mint.view_at(at(3));
    assert_eq!(mint.next(), None);
    mint.view_at(at(7));
    assert_eq!(
        mint.next(),
        Some(Description {
            lower: 3,
            upper: at(7)
        })
    );
    assert_eq!(mint.next(), None, "one description until the shard moves");
    mint.view_at(at(9));
    assert_eq!(mint.next(), None);
    mint.shard_at(at(5));
    assert_eq!(
        mint.next(),
        Some(Description {
            lower: 5,
            upper: at(9)
        })
    );
}

#[test]
fn a_read_only_sink_mints_once_it_may_write() {
    let mut mint = Mint::new(0, 0, true, Mutant::None);
    mint.view_at(at(4));
    assert_eq!(mint.next(), None);
    mint.allow_writes();
    assert_eq!(
        mint.next(),
        Some(Description {
            lower: 0,
            upper: at(4)
        })
    );
}

#[test]
fn an_empty_frontier_closes_the_shard_only_when_every_input_has_ended() {
    let mut mint = Mint::new(0, 2, false, Mutant::None);
    mint.view_at(Frontier::Closed);
    assert_eq!(mint.next(), None);
    mint.input_ended();
    assert_eq!(mint.next(), None);
    mint.input_ended();
    assert_eq!(
        mint.next(),
        Some(Description {
            lower: 0,
            upper: Frontier::Closed
        })
    );
}
