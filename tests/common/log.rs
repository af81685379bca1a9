//! What a broker writes to stderr. A WARN or ERROR that the test did not announce is a failure.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// Log lines kept, the newest.
const LINES_MAX: usize = 20_000;
/// What the broker may always say: it is about the host that the test happens to run on.
const ABOUT_THE_HOST: [&str; 2] = ["open files", "locked memory"];

/// The lines of all starts of a broker, and what it may say.
#[derive(Default)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    announced: Vec<String>,
}

impl Log {
    /// Takes in what comes, until nothing will come any more.
    pub fn read(&self, stderr: impl Read + Send + 'static) -> JoinHandle<()> {
        let lines = self.lines.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut lines = lines.lock().expect("the log's lock");
                if lines.len() >= LINES_MAX {
                    lines.drain(..LINES_MAX / 2);
                }
                lines.push(line);
            }
        })
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().expect("the log's lock")
    }

    /// Allows `text` in a WARN or ERROR from here on.
    pub fn announce(&mut self, text: &str) {
        self.announced.push(text.to_owned());
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// How many lines have `text`.
    pub fn count(&self, text: &str) -> usize {
        let lines = self.lines();
        lines.iter().filter(|line| line.contains(text)).count()
    }

    /// Forgets what was said.
    pub fn clear(&self) {
        self.lines().clear();
    }

    /// Forgets lines with `text`.
    pub fn forget(&self, text: &str) {
        self.lines().retain(|line| !line.contains(text));
    }

    /// Fails if there is what should not be: no WARN or ERROR but those that were announced,
    /// those about the host, and those with `also`.
    pub fn check(&self, also: Option<&str>) {
        // Without the lock, which a panic would poison for those who show the log.
        let lines = self.lines().clone();
        let is_expected = |line: &String| {
            let announced = self.announced.iter().map(String::as_str);
            let mut expected = announced.chain(ABOUT_THE_HOST).chain(also);
            expected.any(|text| line.contains(text))
        };
        let is_bad = |line: &&String| {
            let words = [" WARN ", " ERROR ", "panicked at", "error: "];
            words.iter().any(|word| line.contains(word)) && !is_expected(line)
        };
        let bad: Vec<&String> = lines.iter().filter(is_bad).collect();
        assert!(bad.is_empty(), "unexpected in the broker's log: {bad:#?}");
    }
}
