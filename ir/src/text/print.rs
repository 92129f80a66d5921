//! Printing programs as jaxprs: on one line where that fits, otherwise one equation a line.
//!
//! A program becomes a small document first, with all names given; then the layout is decided from the outside in, each
//! bracketed block on one line if it fits in [`WIDTH`] columns and on lines of its own if not.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use super::literal;
use super::ops::params;
use super::param::Param;
use super::{is_reserved, is_word};
use crate::{Atom, Eqn, Program, Var};

/// Lines are broken where they would be longer than this.
const WIDTH: usize = 100;

/// A piece of text that knows where it may be broken.
enum Doc {
    Text(String),
    /// One after the other.
    Sequence(Vec<Doc>),
    /// Words with a space between them; lines are filled.
    Words(Vec<String>),
    Block(Block),
}

/// Items between brackets.
struct Block {
    open: Box<Doc>,
    items: Vec<Doc>,
    close: Box<Doc>,
    /// Between items on one line.
    separator: &'static str,
    /// After the opening and before the closing bracket on one line.
    padding: &'static str,
    /// How much further in the items and the closing bracket stand on lines of their own.
    indent: (usize, usize),
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut layout = Layout { text: String::new(), column: 0 };
        layout.put(&Namer::default().program(self), 0, 0);
        f.write_str(&layout.text)
    }
}

/// The text of one equation of a program on one line.
pub(super) fn equation_line(eqn: &Eqn, names: &HashMap<Var, String>, program: &Program) -> String {
    let scope = Scope { program, names: Cow::Borrowed(names), used: eqn.outputs.iter().copied().collect() };
    flat(&Namer::default().equation(eqn, &scope))
}

/// A name for each variable that a program defines, in the order of definition.
pub(super) fn names(program: &Program) -> HashMap<Var, String> {
    let constants = program.consts.iter().map(|(v, _)| *v);
    let results = program.eqns.iter().flat_map(|eqn| eqn.outputs.iter().copied());
    let mut namer = Namer::default();
    constants.chain(program.invars.iter().copied()).chain(results).map(|v| (v, namer.fresh())).collect()
}

/// The text of an op with its parameters on one line: `reduce_sum[axes=(0,)]`.
pub(super) fn op_line(op: &crate::Op) -> String {
    flat(&Namer::default().op(op))
}

/// The text of a parameter's value on one line.
pub(super) fn param_line(value: &Param) -> String {
    flat(&Namer::default().value(value))
}

/// The names of one program's variables.
struct Scope<'p> {
    program: &'p Program,
    names: Cow<'p, HashMap<Var, String>>,
    /// Variables that something reads; the others print as `_` where an equation defines them.
    used: HashSet<Var>,
}

impl Scope<'_> {
    fn atom(&self, atom: Atom) -> String {
        match atom {
            Atom::Var(v) => self.names.get(&v).cloned().unwrap_or_else(|| format!("undefined_{}", v.0)),
            Atom::Lit(value) => value.to_string(),
        }
    }

    fn binder(&self, v: Var) -> String {
        match self.program.avals.get(v.index()) {
            Some(aval) => format!("{}:{aval}", self.atom(v.into())),
            None => self.atom(v.into()),
        }
    }
}

/// Gives names in the order in which definitions print, programs inside ops included.
#[derive(Default)]
struct Namer {
    next: usize,
}

impl Namer {
    /// a, b, …, z, aa, ab, … without the words that mean something else.
    fn fresh(&mut self) -> String {
        loop {
            let (mut rest, mut letters) = (self.next, vec![]);
            self.next += 1;
            loop {
                letters.push(b'a' + (rest % 26) as u8);
                if rest < 26 {
                    break;
                }
                rest = rest / 26 - 1;
            }
            let name: String = letters.iter().rev().map(|&letter| letter as char).collect();
            if !is_reserved(&name) {
                return name;
            }
        }
    }

    fn define(&mut self, scope: &mut Scope, v: Var) {
        let name = self.fresh();
        scope.names.to_mut().insert(v, name);
    }

    fn program(&mut self, program: &Program) -> Doc {
        let operands = program.eqns.iter().flat_map(|eqn| &eqn.inputs).chain(&program.outvars);
        let used = operands.filter_map(|atom| atom.var()).collect();
        let mut scope = Scope { program, names: Cow::default(), used };
        let mut header = vec!["{".to_string(), "lambda".to_string()];
        for (v, value) in &program.consts {
            self.define(&mut scope, *v);
            header.push(format!("{}={}", scope.binder(*v), literal::contents(value)));
        }
        let constants_end = header.len() - 1;
        if program.consts.is_empty() {
            header.push(";".to_string());
        } else {
            header[constants_end].push(';');
        }
        for &v in &program.invars {
            self.define(&mut scope, v);
            header.push(scope.binder(v));
        }
        match program.invars.is_empty() {
            true => header.push(".".to_string()),
            false => header.last_mut().expect("an input was pushed").push('.'),
        }
        header.push("let".to_string());
        let items = program
            .eqns
            .iter()
            .map(|eqn| {
                let named: Vec<Var> = eqn.outputs.iter().copied().filter(|v| scope.used.contains(v)).collect();
                for v in named {
                    self.define(&mut scope, v);
                }
                self.equation(eqn, &scope)
            })
            .collect();
        let outputs: Vec<String> = program.outvars.iter().map(|&atom| scope.atom(atom)).collect();
        let outputs = tuple_words(outputs);
        Doc::Block(Block {
            open: Box::new(Doc::Words(header)),
            items,
            close: Box::new(Doc::Words(
                ["in".to_string()].into_iter().chain(outputs).chain(["}".to_string()]).collect(),
            )),
            separator: "; ",
            padding: " ",
            indent: (4, 2),
        })
    }

    fn equation(&mut self, eqn: &Eqn, scope: &Scope) -> Doc {
        let mut results = String::new();
        for &v in &eqn.outputs {
            match scope.program.avals.get(v.index()) {
                Some(aval) if !scope.used.contains(&v) => results.push_str(&format!("_:{aval} ")),
                Some(_) | None => results.push_str(&format!("{} ", scope.binder(v))),
            }
        }
        if !eqn.outputs.is_empty() {
            results.push_str("= ");
        }
        let operands: String = eqn.inputs.iter().map(|&input| format!(" {}", scope.atom(input))).collect();
        Doc::Sequence(vec![Doc::Text(results), self.op(&eqn.op), Doc::Text(operands)])
    }

    fn op(&mut self, op: &crate::Op) -> Doc {
        let params = params(op);
        if params.is_empty() {
            return Doc::Text(op.name().to_string());
        }
        let items = params.iter().map(|(name, value)| self.named(name, value)).collect();
        Doc::Block(block(format!("{}[", op.name()), items, "]", " "))
    }

    fn named(&mut self, name: &str, value: &Param) -> Doc {
        Doc::Sequence(vec![Doc::Text(format!("{name}=")), self.value(value)])
    }

    fn value(&mut self, value: &Param) -> Doc {
        match value {
            Param::None => Doc::Text("None".into()),
            Param::Bool(true) => Doc::Text("True".into()),
            Param::Bool(false) => Doc::Text("False".into()),
            Param::Int(value) => Doc::Text(value.to_string()),
            Param::Name(name) => Doc::Text(quoted(name)),
            Param::Scalar(value) => Doc::Text(value.to_string()),
            Param::Aval(aval) => Doc::Text(aval.to_string()),
            Param::Tuple(items) => self.items("(", items, if items.len() == 1 { ",)" } else { ")" }),
            Param::List(items) => self.items("[", items, "]"),
            Param::Record(name, fields) => {
                let items = fields.iter().map(|(name, value)| self.named(name, value)).collect();
                Doc::Block(block(format!("{name}("), items, ")", ", "))
            }
            Param::Program(program) => self.program(program),
        }
    }

    fn items(&mut self, open: &str, items: &[Param], close: &str) -> Doc {
        let items = items.iter().map(|item| self.value(item)).collect();
        Doc::Block(block(open.to_string(), items, close, ", "))
    }
}

fn block(open: String, items: Vec<Doc>, close: &str, separator: &'static str) -> Block {
    let (open, close) = (Box::new(Doc::Text(open)), Box::new(Doc::Text(close.to_string())));
    Block { open, items, close, separator, padding: "", indent: (2, 0) }
}

/// `(a, b)` in words that may stand on different lines.
fn tuple_words(items: Vec<String>) -> Vec<String> {
    let last = items.len().saturating_sub(1);
    let mut words: Vec<String> = items
        .into_iter()
        .enumerate()
        .map(|(i, item)| match (i, last) {
            (0, 0) => format!("({item},)"),
            (0, _) => format!("({item},"),
            (i, last) if i == last => format!("{item})"),
            _ => format!("{item},"),
        })
        .collect();
    if words.is_empty() {
        words.push("()".to_string());
    }
    words
}

/// A name as it stands, or in double quotes where it would not read as a name.
fn quoted(name: &str) -> String {
    if is_word(name) && !matches!(name, "True" | "False" | "None") {
        return name.to_string();
    }
    let mut text = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            c if c.is_control() => text.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

impl Doc {
    /// Columns on one line, or more than `limit` as soon as that is certain.
    fn width(&self, limit: usize) -> usize {
        match self {
            Doc::Text(text) => text.chars().count(),
            Doc::Words(words) => {
                words.iter().map(|word| word.chars().count()).sum::<usize>() + words.len().saturating_sub(1)
            }
            Doc::Sequence(docs) => sum_widths(docs, 0, limit),
            Doc::Block(block) => {
                let brackets = block.open.width(limit) + block.close.width(limit) + padding(block).len() * 2;
                if block.items.is_empty() && !block.padding.is_empty() {
                    return brackets + block.padding.len();
                }
                brackets + sum_widths(&block.items, block.separator.len(), limit)
            }
        }
    }
}

fn sum_widths(docs: &[Doc], separator: usize, limit: usize) -> usize {
    let mut total = docs.len().saturating_sub(1) * separator;
    for doc in docs {
        if total > limit {
            break;
        }
        total += doc.width(limit - total);
    }
    total
}

fn padding(block: &Block) -> &'static str {
    if block.items.is_empty() { "" } else { block.padding }
}

/// The text on one line, however long.
fn flat(doc: &Doc) -> String {
    match doc {
        Doc::Text(text) => text.clone(),
        Doc::Words(words) => words.join(" "),
        Doc::Sequence(docs) => docs.iter().map(flat).collect(),
        Doc::Block(block) => {
            let items: Vec<String> = block.items.iter().map(flat).collect();
            let (open, close) = (flat(&block.open), flat(&block.close));
            if items.is_empty() {
                return format!("{open}{}{close}", block.padding);
            }
            format!("{open}{}{}{}{close}", block.padding, items.join(block.separator), block.padding)
        }
    }
}

/// The text so far and the column it has reached.
struct Layout {
    text: String,
    column: usize,
}

impl Layout {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn new_line(&mut self, indent: usize) {
        let trimmed = self.text.trim_end_matches(' ').len();
        self.text.truncate(trimmed);
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.column = indent;
    }

    /// Writes `doc` where `indent` is the indentation of its line and `after` the columns that follow it on its last line.
    fn put(&mut self, doc: &Doc, indent: usize, after: usize) {
        match doc {
            Doc::Text(text) => self.push(text),
            Doc::Words(words) => self.put_words(words, indent, after),
            Doc::Sequence(docs) => {
                for (i, doc) in docs.iter().enumerate() {
                    let rest = docs[i + 1..].iter().map(|doc| doc.width(WIDTH)).sum::<usize>();
                    self.put(doc, indent, rest + after);
                }
            }
            Doc::Block(block) => {
                let limit = WIDTH.saturating_sub(self.column + after);
                if doc.width(limit) <= limit { self.push(&flat(doc)) } else { self.put_block(block, indent, after) }
            }
        }
    }

    fn put_words(&mut self, words: &[String], indent: usize, after: usize) {
        for (i, word) in words.iter().enumerate() {
            let last = if i + 1 == words.len() { after } else { 0 };
            if i > 0 && self.column + 1 + word.chars().count() + last > WIDTH {
                self.new_line(indent + 4);
            } else if i > 0 {
                self.push(" ");
            }
            self.push(word);
        }
    }

    fn put_block(&mut self, block: &Block, indent: usize, after: usize) {
        self.put(&block.open, indent, 0);
        for (i, item) in block.items.iter().enumerate() {
            self.new_line(indent + block.indent.0);
            let comma = if block.separator == ", " && i + 1 < block.items.len() { "," } else { "" };
            self.put(item, indent + block.indent.0, comma.len());
            self.push(comma);
        }
        self.new_line(indent + block.indent.1);
        self.put(&block.close, indent + block.indent.1, after);
    }
}
