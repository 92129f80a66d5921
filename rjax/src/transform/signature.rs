//! What must agree: the trees, dtypes and shapes of two values, and the keys under which `jit` caches.

use std::fmt::{self, Debug, Write};

use rjax_ir::ErrorKind;
use smallvec::SmallVec;

use crate::array::Array;
use crate::error::fail_with;
use crate::tree::{Label, Visitor, collect, structure};
use crate::{Device, Tree, tree};

/// Refuses two values whose structures or types differ. Weak flags do not count.
#[track_caller]
pub(crate) fn require_same_type<T: Tree>(function: &str, what: &str, a: &T, other: &str, b: &T) {
    let (left, right) = (structure(a), structure(b));
    if left != right {
        fail_with(ErrorKind::Structure, format!("{function}: {what} {left} and {other} {right}: the trees differ"))
    }
    for ((x, y), path) in collect(|v| a.visit(v)).into_iter().zip(collect(|v| b.visit(v))).zip(tree::paths(a)) {
        if x.aval() != y.aval() {
            let at = if path.is_empty() { String::new() } else { format!(" at {path}") };
            fail_with(
                if x.dtype() == y.dtype() { ErrorKind::Shape } else { ErrorKind::DType },
                format!("{function}: {what} {}{at} and {other} {}{at}", x.aval(), y.aval()),
            )
        }
    }
}

/// What tells two calls of a jitted function apart: the trees' structures with their static values, and each leaf's dtype,
/// shape and weak flag. Written as words, so that looking one up costs little.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Key(SmallVec<[u64; 32]>);

const LEAF: u64 = 1 << 56;
const OPEN: u64 = 2 << 56;
const CLOSE: u64 = 3 << 56;
const FIXED: u64 = 4 << 56;
const NAMED: u64 = 5 << 56;
const KEYED: u64 = 6 << 56;
const BOUND: u64 = 7 << 56;

/// Collects the key and the leaves in one walk.
pub(crate) struct KeyWriter<'a> {
    words: SmallVec<[u64; 32]>,
    pub leaves: SmallVec<[&'a Array; 16]>,
    device: Option<Device>,
}

impl<'a> KeyWriter<'a> {
    /// A writer for calls on a device; without one a call goes where its arguments are.
    pub fn new(device: Option<Device>) -> KeyWriter<'a> {
        let mut words = SmallVec::new();
        words.push(0);
        words.push(crate::lax::matmul_precision() as u64);
        let mut writer = KeyWriter { words, leaves: SmallVec::new(), device };
        // Shapes may depend on the sizes of named axes around the call.
        for (name, size) in crate::trace::bound_axes() {
            writer.text(BOUND, name.as_bytes());
            writer.words.push(size as u64);
        }
        writer
    }

    /// The key, the leaves, and the device of the call.
    pub fn finish(mut self) -> (Key, SmallVec<[&'a Array; 16]>, Device) {
        let device = self.device.unwrap_or_default();
        self.words[0] = device.number();
        (Key(self.words), self.leaves, device)
    }

    fn text(&mut self, tag: u64, text: &[u8]) {
        self.words.push(tag | text.len() as u64);
        for chunk in text.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.words.push(u64::from_le_bytes(word));
        }
    }
}

/// Writes what formatting yields into a small buffer.
struct Text(SmallVec<[u8; 64]>);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl<'a> Visitor<'a> for KeyWriter<'a> {
    fn leaf(&mut self, array: &'a Array) {
        array.with_type(|dtype, shape, weak| {
            self.words.push(LEAF | (weak as u64) << 48 | (dtype.code() as u64) << 32 | shape.len() as u64);
            self.words.extend(shape.iter().map(|&extent| extent as u64));
        });
        if self.device.is_none() {
            self.device = array.placed();
        }
        self.leaves.push(array);
    }

    fn open(&mut self, kind: &'static str, children: usize) {
        self.words.push(OPEN | children as u64);
        self.text(NAMED, kind.as_bytes());
    }

    fn child(&mut self, label: Label<'_>) {
        match label {
            // Given by the node's kind and the position.
            Label::Field(_) | Label::Index(_) => {}
            Label::Key(key) => {
                let mut text = Text(SmallVec::new());
                write!(text, "{key:?}").expect("writing to memory");
                self.text(KEYED, &text.0);
            }
        }
    }

    fn close(&mut self) {
        self.words.push(CLOSE);
    }

    fn fixed(&mut self, value: &dyn Debug) {
        let mut text = Text(SmallVec::new());
        write!(text, "{value:?}").expect("writing to memory");
        self.text(FIXED, &text.0);
    }
}
