use super::mistake::nearest;
use super::{Millis, Rate, Seed, Settings, Stop, split_password};
use expect_test::{Expect, expect};
use targets::target::Request;
use workload::partitions::{Policy, Popularity};

fn mistakes(text: &str, expected: Expect) {
    let found = match Settings::parse(text, "run.toml") {
        Ok(settings) => format!("{settings:#?}"),
        Err(mistakes) => mistakes.iter().map(|m| format!("{m}\n")).collect(),
    };
    expected.assert_eq(&found);
}

#[test]
fn every_mistake_of_a_file_is_told_at_once_with_its_line_and_the_nearest_key() {
    mistakes(
        r#"
sesions = 4
seed = "xyz"
sessions = 0

time = "ten"
visits = -3
pace = "slow"
stop = "sometimes"
outside = ["cancel", "meteor"]
zzzzzzzz = 1

[fault]
cancle = "1/1000"
kill = "often"

[workload]
values = 3
[workload.reads]
partitoin = 3
row = "many"
"#,
        expect![[r#"
            run.toml, line 2: unknown key `sesions` (did you mean `sessions`?)
            run.toml, line 3: `seed` is "xyz", expected a number of 1 to 16 hexadecimal digits such as 7b3f0c
            run.toml, line 4: `sessions` is 0, expected a number from 1 to 1000
            run.toml, line 6: `time` is "ten", expected a duration such as 10s, 5m
            run.toml, line 7: `visits` is -3, expected a number from 1
            run.toml, line 8: `pace` is "slow", expected free or lock-step
            run.toml, line 9: `stop` is "sometimes", expected first, never or a number from 1
            run.toml, line 10: `outside` is ["cancel", "meteor"], expected a list of cancel, terminate, restart
            run.toml, line 11: unknown key `zzzzzzzz`
            run.toml, line 14: there is no fault `cancle` (did you mean `cancel`?)
            run.toml, line 15: "often" is not a rate such as 1/1000, 0.001 or 0.1%
            run.toml, line 18: `workload.values` is 3, expected a value of type table
            run.toml, line 20: unknown key `partitoin` (did you mean `partition`?)
            run.toml, line 21: `workload.reads.row` is "many", expected a value of type integer
        "#]],
    );
}

#[test]
fn text_that_is_no_toml_is_told_by_line() {
    mistakes(
        "seed = \"1\"\nsessions == 3\n",
        expect![[r#"
            run.toml, line 2: extra `=`, expected nothing
            run.toml, line 2: unexpected key or value, expected newline, `#`
        "#]],
    );
}

#[test]
fn flags_go_over_the_file_and_a_number_of_visits_over_a_time() {
    let file = Settings::parse(
        "seed = \"7b3f0c\"\ntime = \"5m\"\nsessions = 3\n[lie]\ndirty_read = \"1%\"\n[workload.reads]\nrow = 99\n",
        "run.toml",
    )
    .unwrap();
    let mut flags = Settings::default();
    flags.set("visits", "100", "--visits").unwrap();
    flags.set("sessions", "9", "--sessions").unwrap();
    flags.lie("torn_commit", "--lie").unwrap();
    let both = flags.over(file);
    assert_eq!(both.seed, Some(Seed(0x7b3f0c)));
    assert_eq!(
        (both.time, both.visits, both.sessions),
        (None, Some(100), Some(9))
    );
    assert_eq!(both.lies["dirty_read"], Rate { num: 1, den: 100 });
    assert_eq!(both.lies["torn_commit"], Rate { num: 1, den: 50 });
    assert_eq!(both.workload["reads"]["row"].as_integer(), Some(99));
}

#[test]
fn what_has_one_of_several_shapes_is_replaced_as_a_whole() {
    let file = "seed = \"1\"\n[workload.lww.clock.policy]\nties = { group = 3 }\n[workload.wide]\nzipf = { count = 15 }\n";
    let plan = |discipline: &str| {
        let mut settings = Settings::parse(file, "run.toml").unwrap();
        settings.set("discipline", discipline, "--discipline").unwrap();
        let nobody: targets::target::Environment = std::sync::Arc::new(|_| None);
        settings.plan(&nobody)
    };
    let workload = plan("lww").unwrap().workload;
    assert_eq!(workload.lww.unwrap().clock.policy, Policy::Ties { group: 3 });
    assert_eq!(workload.wide, Popularity::Zipf { count: 15 });
    let wrong = plan("ordered").unwrap_err().to_string();
    assert_eq!(
        wrong,
        "workload.lww: says how visits get their timestamps: give it with --discipline lww"
    );
}

#[test]
fn a_wrong_flag_says_what_was_expected() {
    let mut flags = Settings::default();
    let wrong = flags.set("sessions", "0", "--sessions").unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "--sessions: \"0\" is not a number from 1 to 1000"
    );
    let wrong = flags.fault("cancle=1/2", "--fault").unwrap_err();
    assert_eq!(
        wrong.to_string(),
        "--fault: there is no fault `cancle` (did you mean `cancel`?)"
    );
}

#[test]
fn texts_of_values_are_read_back() {
    for ms in [0, 1, 999, 1000, 1500, 60_000, 90_000, 3_600_000] {
        assert_eq!(Millis(ms).to_string().parse(), Ok(Millis(ms)));
    }
    for seed in [0, 1, 0x7b3f0c, u64::MAX] {
        assert_eq!(Seed(seed).to_string().parse(), Ok(Seed(seed)));
    }
    for stop in [Stop::First, Stop::Never, Stop::At(7)] {
        assert_eq!(stop.to_string().parse(), Ok(stop));
    }
    for rate in [Rate { num: 0, den: 1 }, Rate { num: 1, den: 1000 }] {
        assert_eq!(rate.to_string().parse(), Ok(rate));
    }
}

#[test]
fn rates_are_ratios_decimals_or_percents_and_never_above_one() {
    let rate = |text: &str| text.parse::<Rate>().ok().map(|r| (r.num, r.den));
    assert_eq!(rate("0.1%"), Some((1, 1000)));
    assert_eq!(rate("25%"), Some((25, 100)));
    assert_eq!(rate("0.001"), Some((1, 1000)));
    assert_eq!(rate("1"), Some((1, 1)));
    for wrong in ["2", "-1/2", "1/0", "0.1.2", "1.5", "%", "1e3", "101%", ""] {
        assert_eq!(rate(wrong), None, "{wrong:?}");
    }
    assert_eq!(
        Rate {
            num: 1,
            den: 10_000_000
        }
        .per_million(),
        1
    );
}

#[test]
fn the_nearest_name_is_near() {
    let known = ["sessions", "seed", "settle"];
    assert_eq!(nearest("sesions", known.into_iter()), Some("sessions"));
    assert_eq!(nearest("sede", known.into_iter()), Some("seed"));
    assert_eq!(nearest("elephant", known.into_iter()), None);
}

#[test]
fn a_password_is_taken_out_of_a_url() {
    let cases = [
        (
            "postgres://app:s%40c@db:5432/shop?x=1",
            "postgres://app@db:5432/shop?x=1",
            Some("s@c"),
        ),
        (
            "postgres://app@db/shop?password=hush&y=2",
            "postgres://app@db/shop?y=2",
            Some("hush"),
        ),
        (
            "postgres://app:p@ss@db/shop",
            "postgres://app@db/shop",
            Some("p@ss"),
        ),
        ("postgres://db:5432/shop", "postgres://db:5432/shop", None),
        ("sqlite:/tmp/a@b:c", "sqlite:/tmp/a@b:c", None),
        ("postgres:local?bin=/usr/bin", "postgres:local?bin=/usr/bin", None),
    ];
    for (url, without, password) in cases {
        assert_eq!(
            split_password(url),
            (without.to_owned(), password.map(str::to_owned)),
            "{url}"
        );
    }
}

/// The plan of settings in a file's words.
fn plan(text: &str) -> Result<super::Plan, String> {
    let nobody: targets::target::Environment = std::sync::Arc::new(|_| None);
    let settings = Settings::parse(text, "run.toml").unwrap();
    settings.plan(&nobody).map_err(|e| e.to_string())
}

#[test]
fn a_workload_asks_every_target_only_what_it_can_be_asked() {
    for (target, discipline) in [
        ("cassandra://host", "lww"),
        ("postgres://host/db", "lww"),
        ("sqlite:", "lww"),
        ("reference:", "lww"),
        ("sqlite:", "ordered"),
    ] {
        for (seed, profile) in (1..=4).flat_map(|seed| profiles().map(move |profile| (seed, profile))) {
            let text = format!(
                "seed = \"{seed}\"\ntarget = \"{target}\"\ndiscipline = \"{discipline}\"\nprofile = \"{profile}\"\nswarm = true\n"
            );
            let plan = plan(&text).unwrap();
            let options = targets::OpenOptions {
                discipline: plan.discipline,
                ..targets::OpenOptions::new("/nowhere", "gm1")
            };
            let target = targets::open(&plan.target, &options).unwrap();
            let history = crate::life::history(&plan).unwrap();
            for visit in (1..=300).map(|lts| history.visit(history::Lts(lts)).unwrap()) {
                let said = Request::of(&visit).try_for_each(|asked| target.says(&plan.schema, &asked));
                assert_eq!(said, Ok(()), "{} {seed} {profile}: {visit}", plan.target);
            }
        }
    }
}

fn profiles() -> impl Iterator<Item = &'static str> {
    workload::partitions::names().map(|(name, _)| name)
}

#[test]
fn a_written_history_is_refused_where_the_target_has_no_words_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it.history");
    let wrong = |target: &str, visits: &str| {
        let tables = "gristmill history, format 1\n\
                      table t0 t\n  \
                        c0 p int64 partition\n  \
                        c1 c int64 clustering\n  \
                        c2 s int64 shared\n  \
                        c3 v int64\n";
        std::fs::write(&file, format!("{tables}{visits}")).unwrap();
        let path = file.display();
        plan(&format!(
            "target = \"{target}\"\nhistory = \"{path}\"\ndiscipline = \"lww\"\n"
        ))
        .err()
        .unwrap_or_default()
    };
    let visits = "s1 1: upsert t0/0/0 c3=1 | auto at 5 one ttl 60\n\
                  s1 2: delete t0/0[:..] | auto at 6 one\n\
                  s1 3: read t0/0 select c3 order c1 limit 2 offset 1 | auto at 7 one\n\
                  s1 4: read t0/0 select c3 | auto at 7 one\n";
    expect![[r#"
        history, visit 2: cassandra://host cannot be asked for a deletion of all rows but not of the static cells: leave it out
        history, visit 3: cassandra://host cannot be asked for OFFSET: leave it out"#]].assert_eq(&wrong("cassandra://host", visits));
    expect!["history, visit 1: sqlite: cannot be asked for a time to live: leave it out"]
        .assert_eq(&wrong("sqlite:", visits));
}
