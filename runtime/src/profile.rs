//! Who did what when: spans of time on the threads that spent them, for people who want to know what is slow.
//!
//! Programs compiled to be observed open and close a span around each of their steps, [`parallel_for`](crate::parallel_for) notes the
//! parts that workers took over, and [`timed`](crate::timed) the stages of compilation. Unless somebody records, all of them look
//! at one flag and go on.
//!
//! ```
//! use rjax_runtime::profile::{Recording, recording};
//! let record = Recording::start().expect("nobody else records");
//! rjax_runtime::timed("simplify", || assert!(recording()));
//! assert!(record.finish().chrome_trace().contains(r#""name":"simplify""#));
//! ```

use std::cell::RefCell;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::sync::Mutex;

/// How many spans a recording holds; what comes after is only counted.
const MOST: usize = 1 << 20;

/// What a span is of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Label {
    /// The name that is shown.
    pub name: String,
    /// A word by which viewers filter: `call`, `kernel`, `routine`, `loop`, `compile`.
    pub category: &'static str,
    /// Bytes read and written, 0 if nobody knows.
    pub bytes: u64,
    /// Arithmetic operations, 0 if nobody knows.
    pub flops: u64,
    /// What else there is to say, by name.
    pub notes: Vec<(&'static str, String)>,
}

struct Span {
    label: Arc<Label>,
    thread: usize,
    begin: Duration,
    length: Duration,
    /// Of work that another thread began, how many parts this one did.
    parts: Option<usize>,
}

/// What was recorded.
pub struct Profile {
    start: Instant,
    spans: Vec<Span>,
    /// Numbers and names of the threads that have spans.
    threads: Vec<(usize, String)>,
    dropped: usize,
}

static RECORDING: AtomicBool = AtomicBool::new(false);
static RECORDED: Mutex<Option<Profile>> = Mutex::new(None);
static NEXT_THREAD: AtomicUsize = AtomicUsize::new(1);

thread_local! {
    static THREAD: usize = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
    /// The spans that are open on this thread, the outermost first.
    static OPEN: RefCell<Vec<(Arc<Label>, Instant)>> = const { RefCell::new(Vec::new()) };
}

/// Whether somebody records.
pub fn recording() -> bool {
    RECORDING.load(Ordering::Relaxed)
}

/// A recording under way, of all threads. There is one at a time.
#[derive(Debug)]
pub struct Recording(());

impl Recording {
    /// Begins to record; `None` if somebody does so already.
    pub fn start() -> Option<Recording> {
        let mut recorded = RECORDED.lock();
        if recorded.is_some() {
            return None;
        }
        *recorded = Some(Profile { start: Instant::now(), spans: vec![], threads: vec![], dropped: 0 });
        RECORDING.store(true, Ordering::Relaxed);
        Some(Recording(()))
    }

    /// Ends the recording. Spans that are still open are not part of it.
    pub fn finish(self) -> Profile {
        // Dropping it as well would end the recording that somebody else may have begun.
        std::mem::forget(self);
        stop().expect("a recording is there until it is ended here")
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        stop();
    }
}

fn stop() -> Option<Profile> {
    let mut recorded = RECORDED.lock();
    RECORDING.store(false, Ordering::Relaxed);
    recorded.take()
}

/// Opens a span on this thread, inside of those that are open.
pub fn open(label: Arc<Label>) {
    OPEN.with_borrow_mut(|open| open.push((label, Instant::now())));
}

/// Closes the span of this thread that was opened last.
pub fn close() {
    let end = Instant::now();
    let Some((label, begin)) = OPEN.with_borrow_mut(Vec::pop) else { return };
    note(label, begin, end, None);
}

/// Runs `work` in a span.
pub fn spanned<T>(label: &Arc<Label>, work: impl FnOnce() -> T) -> T {
    struct Close;
    impl Drop for Close {
        fn drop(&mut self) {
            close();
        }
    }
    open(label.clone());
    let _close = Close;
    work()
}

/// The label of this thread's innermost open span, while somebody records.
pub(crate) fn innermost() -> Option<Arc<Label>> {
    if !recording() {
        return None;
    }
    OPEN.with_borrow(|open| open.last().map(|(label, _)| label.clone()))
}

/// Notes what a worker did from `begin` until now of the work that another thread began under this label.
pub(crate) fn note_parts(label: &Arc<Label>, begin: Instant, parts: usize) {
    if parts > 0 {
        note(label.clone(), begin, Instant::now(), Some(parts));
    }
}

fn note(label: Arc<Label>, begin: Instant, end: Instant, parts: Option<usize>) {
    let mut recorded = RECORDED.lock();
    // What began before the recording is not part of it.
    let Some(profile) = recorded.as_mut().filter(|profile| profile.start <= begin) else { return };
    if profile.spans.len() >= MOST {
        profile.dropped += 1;
        return;
    }
    let thread = THREAD.with(|&number| number);
    if !profile.threads.iter().any(|(number, _)| *number == thread) {
        let name = std::thread::current().name().unwrap_or("thread").to_string();
        profile.threads.push((thread, name));
    }
    let begin_after = begin - profile.start;
    profile.spans.push(Span { label, thread, begin: begin_after, length: end - begin, parts });
}

impl Profile {
    /// The spans as complete events of the Trace Event Format, which `chrome://tracing` and Perfetto open.
    pub fn chrome_trace(&self) -> String {
        let mut text = String::from("{\"displayTimeUnit\":\"ns\",");
        write!(text, "\"otherData\":{{\"dropped_spans\":{}}},\"traceEvents\":[", self.dropped).expect(WRITES);
        for (number, name) in &self.threads {
            write!(text, "\n{{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":1,\"tid\":{number},\"args\":{{\"name\":")
                .expect(WRITES);
            quote(&mut text, name);
            text += "}},";
        }
        for span in &self.spans {
            span.write(&mut text);
            text.push(',');
        }
        if text.ends_with(',') {
            text.pop();
        }
        text += "\n]}\n";
        text
    }
}

const WRITES: &str = "strings take all that is written";

impl Span {
    fn write(&self, text: &mut String) {
        let label = &*self.label;
        text.push_str("\n{\"name\":");
        quote(text, &label.name);
        // Microseconds, to the nanosecond, so that what is inside stays inside.
        let micros = |time: Duration| format!("{}.{:03}", time.as_micros(), time.subsec_nanos() % 1000);
        let (begin, length) = (micros(self.begin), micros(self.length));
        let (category, thread) = (label.category, self.thread);
        write!(
            text,
            ",\"cat\":\"{category}\",\"ph\":\"X\",\"ts\":{begin},\"dur\":{length},\"pid\":1,\"tid\":{thread},\"args\":{{"
        )
        .expect(WRITES);
        let mut separator = "";
        let mut argument = |text: &mut String, name: &str, value: std::fmt::Arguments<'_>| {
            write!(text, "{separator}\"{name}\":{value}").expect(WRITES);
            separator = ",";
        };
        // A worker does some parts of the work, which the label describes as a whole.
        if let Some(parts) = self.parts {
            argument(text, "parts", format_args!("{parts}"));
        } else {
            let nanos = self.length.as_nanos().max(1) as f64;
            for (amount, name, rate) in [(label.bytes, "bytes", "GB/s"), (label.flops, "flops", "GFLOP/s")] {
                if amount > 0 {
                    argument(text, name, format_args!("{amount}"));
                    argument(text, rate, format_args!("{:.3}", amount as f64 / nanos));
                }
            }
        }
        for (name, value) in &label.notes {
            let mut quoted = String::new();
            quote(&mut quoted, value);
            argument(text, name, format_args!("{quoted}"));
        }
        text.push_str("}}");
    }
}

/// A string of JSON.
fn quote(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c < ' ' => write!(text, "\\u{:04x}", c as u32).expect(WRITES),
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted() {
        let mut text = String::new();
        quote(&mut text, "a \"b\" \\ \n µ");
        assert_eq!(text, r#""a \"b\" \\ \u000a µ""#);
    }
}
