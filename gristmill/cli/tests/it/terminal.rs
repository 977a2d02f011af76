//! A real terminal: what is drawn, drawn again, and wiped.

use crate::kit::Desk;
use std::process::Command;

/// What a program wrote to a terminal of so many columns.
struct Terminal {
    bytes: String,
    columns: usize,
    /// The screen, every line that scrolled away included, at its end.
    lines: Vec<String>,
    /// Each content that the line of the cursor ever had when it was drawn anew.
    drawn: Vec<String>,
}

impl Terminal {
    /// Runs the binary on a terminal (`script` makes one).
    fn run(desk: &Desk, columns: usize, args: &str, environment: &[(&str, &str)]) -> Terminal {
        let gristmill = desk.command(&[]);
        let program = gristmill.get_program().to_str().unwrap();
        let words = format!("stty cols {columns} rows 24 && exec '{program}' {args}");
        let output = Command::new("script")
            .args(["--quiet", "--return", "--command", &words, "/dev/null"])
            .current_dir(desk.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("TERM", "xterm")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        Terminal::of(String::from_utf8(output.stdout).unwrap(), columns)
    }

    /// Plays what was written: text, newline, carriage return, wiping to the end of the line; colours show nothing.
    fn of(bytes: String, columns: usize) -> Terminal {
        let mut lines: Vec<Vec<char>> = vec![Vec::new()];
        let mut drawn = Vec::new();
        let mut column = 0;
        let mut chars = bytes.chars();
        while let Some(c) = chars.next() {
            let line = lines.last_mut().unwrap();
            match c {
                '\n' => {
                    lines.push(Vec::new());
                    column = 0;
                }
                '\r' => {
                    if !line.is_empty() {
                        drawn.push(line.iter().collect());
                    }
                    column = 0;
                }
                '\x1b' => {
                    assert_eq!(chars.next(), Some('['));
                    let code: String = chars
                        .by_ref()
                        .take_while(|c| c.is_ascii_digit() || *c == ';')
                        .collect();
                    // `take_while` has eaten the letter: wiping has no numbers, colours always end with some.
                    if code.is_empty() {
                        line.truncate(column);
                    }
                }
                c => {
                    if column == line.len() {
                        line.push(c);
                    } else {
                        line[column] = c;
                    }
                    column += 1;
                }
            }
        }
        let lines = lines.iter().map(|line| line.iter().collect()).collect();
        Terminal {
            bytes,
            columns,
            lines,
            drawn,
        }
    }

    fn assert_nothing_wraps(&self) {
        for line in self.lines.iter().chain(&self.drawn) {
            let wide = line.chars().count();
            assert!(wide <= self.columns, "{wide} of {} columns: {line}", self.columns);
        }
    }

    /// Progress lines, as they were when the next one was drawn.
    fn progress(&self) -> Vec<&String> {
        self.drawn
            .iter()
            .filter(|line| line.contains('─') || line.contains('━'))
            .collect()
    }

    fn has_colours(&self) -> bool {
        self.bytes.contains("\x1b[1m") || self.bytes.contains("\x1b[2m")
    }
}

const RUN: &str = "run reference: --seed 7 --time 1s --sessions 2";

#[test]
fn the_progress_line_is_drawn_drawn_again_and_wiped() {
    let desk = Desk::new();
    let terminal = Terminal::run(&desk, 100, RUN, &[]);
    let progress = terminal.progress();
    assert!(progress.len() > 3, "{:?}", terminal.drawn);
    assert!(
        progress
            .iter()
            .all(|line| line.contains("no findings") && line.ends_with(" of 1 s"))
    );
    assert!(
        progress.iter().any(|line| line.contains("checked ")),
        "{progress:?}"
    );
    assert!(
        !terminal.lines.iter().any(|line| line.contains(['─', '━'])),
        "nothing of it is left: {:#?}",
        terminal.lines
    );
    assert!(terminal.lines.iter().any(|line| line.starts_with("clean: ")));
    assert!(terminal.has_colours());
    terminal.assert_nothing_wraps();
}

#[test]
fn a_narrow_terminal_is_never_wrapped() {
    let desk = Desk::new();
    for columns in [80, 60, 44] {
        let terminal = Terminal::run(&desk, columns, RUN, &[]);
        assert!(!terminal.progress().is_empty(), "{columns}: {:?}", terminal.drawn);
        terminal.assert_nothing_wraps();
    }
}

#[test]
fn no_color_leaves_the_line_and_takes_the_colours() {
    let terminal = Terminal::run(&Desk::new(), 100, RUN, &[("NO_COLOR", "1")]);
    assert!(!terminal.progress().is_empty());
    assert!(!terminal.has_colours(), "{}", terminal.bytes);
}

#[test]
fn a_dumb_terminal_gets_text_only() {
    let terminal = Terminal::run(&Desk::new(), 100, RUN, &[("TERM", "dumb")]);
    assert!(!terminal.bytes.contains('\x1b'), "{}", terminal.bytes);
    assert!(terminal.progress().is_empty(), "{:?}", terminal.drawn);
    assert!(terminal.lines.iter().any(|line| line.starts_with("clean: ")));
}

#[test]
fn a_json_run_draws_on_the_terminal_and_its_object_is_whole() {
    let desk = Desk::new();
    let terminal = Terminal::run(&desk, 100, &format!("{RUN} --format json >verdict"), &[]);
    assert!(!terminal.progress().is_empty(), "standard error is the terminal");
    let text = std::fs::read_to_string(desk.path().join("verdict")).unwrap();
    assert!(!text.contains('\x1b'));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["status"],
        "clean"
    );
}
