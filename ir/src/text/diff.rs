//! The structural difference of two programs: names do not matter, order and operands do.

use std::collections::{HashMap, VecDeque};

use super::print::{equation_line, names};
use crate::{Atom, Aval, Eqn, Op, Program, Var};

/// Beyond this many comparisons the part of two programs between their common beginning and end counts as changed throughout.
const MAX_COMPARISONS: usize = 1 << 24;

/// What distinguishes two programs, one line each; empty if and only if they are the same up to the names of variables.
///
/// Lines begin with `-` (only in `before`) or `+` (only in `after`). An equation in both whose operands changed gives both.
///
/// ```
/// use rjax_ir::{Program, text::diff};
/// let before = Program::parse("{ lambda ; a:f32[]. let b:f32[] = sin a in (b,) }", "before").unwrap();
/// let after = Program::parse("{ lambda ; x:f32[]. let y:f32[] = cos x in (y,) }", "after").unwrap();
/// assert_eq!(diff(&before, &after), ["- b:f32[] = sin a", "+ b:f32[] = cos a"]);
/// assert!(diff(&before, &before).is_empty());
/// ```
pub fn diff(before: &Program, after: &Program) -> Vec<String> {
    let (before, after) = (before.renumbered(), after.renumbered());
    let mut difference = Difference {
        before_names: names(&before),
        after_names: names(&after),
        before: &before,
        after: &after,
        same: HashMap::new(),
        lines: vec![],
    };
    difference.inputs();
    difference.constants();
    difference.equations();
    difference.outputs();
    difference.lines
}

struct Difference<'p> {
    before: &'p Program,
    after: &'p Program,
    before_names: HashMap<Var, String>,
    after_names: HashMap<Var, String>,
    /// For variables of `before` their counterparts.
    same: HashMap<Var, Var>,
    lines: Vec<String>,
}

/// Lists of types and operands as one line shows them.
fn joined<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    items.iter().map(show).collect::<Vec<_>>().join(" ")
}

impl Difference<'_> {
    fn replace(&mut self, before: String, after: String) {
        self.lines.push(format!("- {before}"));
        self.lines.push(format!("+ {after}"));
    }

    fn pair(&mut self, before: &[Var], after: &[Var]) {
        self.same.extend(before.iter().copied().zip(after.iter().copied()));
    }

    fn same_atom(&self, before: Atom, after: Atom) -> bool {
        match before {
            Atom::Var(v) => self.same.get(&v).is_some_and(|&w| after == Atom::Var(w)),
            Atom::Lit(_) => before == after,
        }
    }

    fn same_atoms(&self, before: &[Atom], after: &[Atom]) -> bool {
        before.len() == after.len() && before.iter().zip(after).all(|(&b, &a)| self.same_atom(b, a))
    }

    fn inputs(&mut self) {
        let (before, after) = (self.before.in_avals(), self.after.in_avals());
        if before != after {
            let line = |avals: &[Aval]| format!("inputs {}", joined(avals, Aval::to_string));
            self.replace(line(&before), line(&after));
        }
        self.pair(&self.before.invars.clone(), &self.after.invars.clone());
    }

    fn constants(&mut self) {
        let (before, after) = (self.before, self.after);
        for index in 0..before.consts.len().max(after.consts.len()) {
            match (before.consts.get(index), after.consts.get(index)) {
                (Some((v, value)), Some((w, other))) => {
                    if !value.bits_equal(other) {
                        self.replace(format!("constant {value}"), format!("constant {other}"));
                    }
                    self.pair(&[*v], &[*w]);
                }
                (Some((_, value)), None) => self.lines.push(format!("- constant {value}")),
                (None, Some((_, value))) => self.lines.push(format!("+ constant {value}")),
                (None, None) => {}
            }
        }
    }

    fn equations(&mut self) {
        let (before, after) = (self.before, self.after);
        // The results of an equation that takes the place of another count as the same, so that their uses are not reported.
        let mut replaced: VecDeque<&Eqn> = VecDeque::new();
        for change in alignment(&shapes(before), &shapes(after)) {
            match change {
                Change::Removed(i) => {
                    self.removed(&before.eqns[i]);
                    replaced.push_back(&before.eqns[i]);
                }
                Change::Added(j) => {
                    self.added(&after.eqns[j]);
                    if let Some(old) = replaced.pop_front() {
                        self.pair(&old.outputs, &after.eqns[j].outputs);
                    }
                }
                Change::Kept(i, j) => {
                    replaced.clear();
                    let (old, new) = (&before.eqns[i], &after.eqns[j]);
                    if !self.same_atoms(&old.inputs, &new.inputs) {
                        self.removed(old);
                        self.added(new);
                    }
                    self.pair(&old.outputs, &new.outputs);
                }
            }
        }
    }

    fn removed(&mut self, eqn: &Eqn) {
        self.lines.push(format!("- {}", equation_line(eqn, &self.before_names, self.before)));
    }

    fn added(&mut self, eqn: &Eqn) {
        self.lines.push(format!("+ {}", equation_line(eqn, &self.after_names, self.after)));
    }

    fn outputs(&mut self) {
        let (before, after) = (self.before, self.after);
        if self.same_atoms(&before.outvars, &after.outvars) {
            return;
        }
        let line = |outputs: &[Atom], names: &HashMap<Var, String>| {
            let show = |atom: &Atom| match atom {
                Atom::Var(v) => names[v].clone(),
                Atom::Lit(value) => value.to_string(),
            };
            format!("outputs {}", joined(outputs, show))
        };
        self.replace(line(&before.outvars, &self.before_names), line(&after.outvars, &self.after_names));
    }
}

/// What an equation is apart from its operands' names.
type EqnShape<'p> = (&'p Op, Vec<&'p Aval>);

fn shapes(program: &Program) -> Vec<EqnShape<'_>> {
    let shape = |eqn: &'_ Eqn| eqn.outputs.iter().map(|v| &program.avals[v.index()]).collect();
    program.eqns.iter().map(|eqn| (&eqn.op, shape(eqn))).collect()
}

enum Change {
    Removed(usize),
    Added(usize),
    Kept(usize, usize),
}

/// A longest common subsequence of two lists, with what is left over on either side in between.
fn alignment<T: PartialEq>(before: &[T], after: &[T]) -> Vec<Change> {
    let start = before.iter().zip(after).take_while(|(b, a)| b == a).count();
    let (rest_before, rest_after) = (&before[start..], &after[start..]);
    let end = rest_before.iter().rev().zip(rest_after.iter().rev()).take_while(|(b, a)| b == a).count();
    let (n, m) = (rest_before.len() - end, rest_after.len() - end);
    let mut changes: Vec<Change> = (0..start).map(|i| Change::Kept(i, i)).collect();
    let (mut i, mut j) = (0, 0);
    if n.saturating_mul(m) <= MAX_COMPARISONS {
        let longest = common_lengths(&rest_before[..n], &rest_after[..m]);
        while i < n && j < m {
            if rest_before[i] == rest_after[j] {
                changes.push(Change::Kept(start + i, start + j));
                (i, j) = (i + 1, j + 1);
            } else if longest[i + 1][j] >= longest[i][j + 1] {
                changes.push(Change::Removed(start + i));
                i += 1;
            } else {
                changes.push(Change::Added(start + j));
                j += 1;
            }
        }
    }
    changes.extend((i..n).map(|i| Change::Removed(start + i)));
    changes.extend((j..m).map(|j| Change::Added(start + j)));
    changes.extend((0..end).map(|k| Change::Kept(start + n + k, start + m + k)));
    changes
}

/// `table[i][j]`: the length of the longest common subsequence of `before[i..]` and `after[j..]`.
fn common_lengths<T: PartialEq>(before: &[T], after: &[T]) -> Vec<Vec<u32>> {
    let mut table = vec![vec![0; after.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            table[i][j] =
                if before[i] == after[j] { table[i + 1][j + 1] + 1 } else { table[i + 1][j].max(table[i][j + 1]) };
        }
    }
    table
}
