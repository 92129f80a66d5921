//! Choosing one node of each class so that the whole, with shared nodes counted once, is cheap.
//!
//! Four candidates: the program as it was; the best by cost sets, bottom up (each class remembers which classes its
//! choice needs, so that shared ones are priced once); from the better of the two, hill climbing by single
//! changes with exact prices; and, where there are few choices, the best of all, by branch and bound. The first is always
//! among them: the result never costs more than the input.

use std::collections::BTreeMap;

use egg::{Id, Language};
use rjax_ir::Aval;

use crate::cost::price;
use crate::dag::{Head, Node};
use crate::egraph::EGraph;

/// A node for each class that is needed.
pub(crate) type Selection = BTreeMap<Id, Node>;

/// The classes of an e-graph, densely numbered, with their nodes and prices.
struct Table {
    classes: Vec<Id>,
    /// For each class its nodes: price and the numbers of the operands' classes.
    nodes: Vec<Vec<(u64, Vec<usize>)>>,
}

impl Table {
    fn new(egraph: &EGraph, fused_bytes: u64) -> Table {
        let mut classes: Vec<Id> = egraph.classes().map(|class| class.id).collect();
        classes.sort();
        let number = |x: Id| classes.binary_search(&egraph.find(x)).expect("a class");
        let nodes = classes
            .iter()
            .map(|&class| {
                let node = |n: &Node| {
                    (node_price(egraph, class, n, fused_bytes), n.inputs.iter().map(|&x| number(x)).collect())
                };
                egraph[class].nodes.iter().map(node).collect()
            })
            .collect();
        Table { classes, nodes }
    }

    fn number(&self, egraph: &EGraph, x: Id) -> usize {
        self.classes.binary_search(&egraph.find(x)).expect("a class")
    }

    /// The price of what the roots need, or `None` if the choice has a cycle or a hole.
    fn total(&self, roots: &[usize], choice: &[Option<usize>]) -> Option<u64> {
        self.total_without(roots, choice, None)
    }

    /// The same, as if one of the classes cost nothing and needed nothing.
    fn total_without(&self, roots: &[usize], choice: &[Option<usize>], free: Option<usize>) -> Option<u64> {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Open,
            Done,
        }
        let mut state = vec![State::New; self.classes.len()];
        let mut total = 0u64;
        let mut stack = Vec::with_capacity(self.classes.len());
        for &root in roots {
            stack.push((root, false));
            while let Some((class, leaving)) = stack.pop() {
                if leaving {
                    state[class] = State::Done;
                    continue;
                }
                match state[class] {
                    State::Done => continue,
                    State::Open => return None,
                    State::New => {}
                }
                if free == Some(class) {
                    state[class] = State::Done;
                    continue;
                }
                state[class] = State::Open;
                let (price, inputs) = &self.nodes[class][choice[class]?];
                total = total.saturating_add(*price);
                stack.push((class, true));
                for &input in inputs {
                    match state[input] {
                        State::Done => {}
                        State::Open => return None,
                        State::New => stack.push((input, false)),
                    }
                }
            }
        }
        Some(total)
    }

    /// The best node of each class by the price of all that it needs.
    fn cost_sets(&self) -> Vec<Option<usize>> {
        let count = self.classes.len();
        let words = count.div_ceil(64);
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); count];
        for (class, nodes) in self.nodes.iter().enumerate() {
            for input in nodes.iter().flat_map(|(_, inputs)| inputs) {
                users[*input].push(class);
            }
        }
        let mut choice: Vec<Option<usize>> = vec![None; count];
        let mut sets: Vec<Vec<u64>> = vec![Vec::new(); count];
        let mut totals: Vec<u64> = vec![u64::MAX; count];
        let chosen_price =
            |choice: &[Option<usize>], class: usize| choice[class].map_or(0, |node| self.nodes[class][node].0);
        let mut queue: std::collections::VecDeque<usize> = (0..count).collect();
        let mut queued = vec![true; count];
        // A choice may make another one's set out of date; the number of visits is bounded all the same.
        let mut visits = 0;
        while let Some(class) = queue.pop_front() {
            queued[class] = false;
            visits += 1;
            if visits > 32 * count {
                break;
            }
            let mut improved = false;
            for (index, (price, inputs)) in self.nodes[class].iter().enumerate() {
                if inputs.iter().any(|&input| choice[input].is_none()) {
                    continue;
                }
                let mut set = vec![0u64; words];
                for &input in inputs {
                    set.iter_mut().zip(&sets[input]).for_each(|(a, b)| *a |= b);
                }
                if set[class / 64] >> (class % 64) & 1 == 1 {
                    continue;
                }
                let mut total = *price;
                for (word, bits) in set.iter().enumerate() {
                    let mut bits = *bits;
                    while bits != 0 {
                        let member = word * 64 + bits.trailing_zeros() as usize;
                        total = total.saturating_add(chosen_price(&choice, member));
                        bits &= bits - 1;
                    }
                }
                if total < totals[class] {
                    set[class / 64] |= 1 << (class % 64);
                    (totals[class], choice[class], sets[class]) = (total, Some(index), set);
                    improved = true;
                }
            }
            if improved {
                for &user in &users[class] {
                    if !queued[user] {
                        queued[user] = true;
                        queue.push_back(user);
                    }
                }
            }
        }
        choice
    }

    /// Changes one class after the other to another node where that lowers the total.
    fn climb(&self, roots: &[usize], choice: &mut [Option<usize>], total: &mut u64) {
        for _ in 0..4 {
            let mut improved = false;
            for class in 0..self.classes.len() {
                if self.nodes[class].len() < 2 || choice[class].is_none() {
                    continue;
                }
                // What the others cost at least, whatever this class becomes.
                let others = self.total_without(roots, choice, Some(class)).unwrap_or(0);
                for (index, (price, _)) in self.nodes[class].iter().enumerate() {
                    if others.saturating_add(*price) >= *total {
                        continue;
                    }
                    let before = choice[class];
                    choice[class] = Some(index);
                    match self.total(roots, choice) {
                        Some(better) if better < *total => {
                            *total = better;
                            improved = true;
                        }
                        Some(_) | None => choice[class] = before,
                    }
                }
            }
            if !improved {
                break;
            }
        }
    }
}

/// Classes with several nodes at most for the exact search.
const MOST_CHOICES: usize = 24;
/// Decisions at most in an exact search, after which the best so far is taken.
const MOST_DECISIONS: usize = 4_000;

/// Branch and bound: all selections, but for those that cost too much before they are complete.
struct Search<'t> {
    table: &'t Table,
    roots: &'t [usize],
    choice: Vec<Option<usize>>,
    best: (u64, Vec<Option<usize>>),
    decisions: usize,
}

impl Search<'_> {
    /// Decides for the last of the pending classes, all of which are needed; `spent` is the price of what is decided.
    fn decide(&mut self, pending: &mut Vec<usize>, spent: u64) {
        self.decisions += 1;
        if spent >= self.best.0 || self.decisions > MOST_DECISIONS {
            return;
        }
        let Some(class) = pending.pop() else {
            // A cycle is found at the end.
            if let Some(total) = self.table.total(self.roots, &self.choice)
                && total < self.best.0
            {
                self.best = (total, self.choice.clone());
            }
            return;
        };
        if self.choice[class].is_some() {
            self.decide(pending, spent);
        } else {
            for (index, (price, inputs)) in self.table.nodes[class].iter().enumerate() {
                let length = pending.len();
                self.choice[class] = Some(index);
                pending.extend(inputs.iter().filter(|&&input| self.choice[input].is_none()));
                self.decide(pending, spent.saturating_add(*price));
                self.choice[class] = None;
                pending.truncate(length);
            }
        }
        pending.push(class);
    }
}

fn node_price(egraph: &EGraph, class: Id, node: &Node, fused_bytes: u64) -> u64 {
    match node.head {
        Head::Leaf(_) | Head::Const(_) | Head::Literal(_) | Head::Projection(_) => 0,
        Head::Op(op) | Head::Unique(op, _) | Head::Effect(op, _) => {
            let inputs: Vec<Aval> = node.operands().iter().map(|&x| egraph[x].data.avals[0].clone()).collect();
            price(egraph.analysis.ops.get(op), &inputs, &egraph[class].data.avals, fused_bytes)
        }
    }
}

/// What was read out of an e-graph by some price.
pub(crate) struct Extracted {
    /// The cheapest selection found, if it is cheaper than the input's.
    pub selection: Option<Selection>,
    /// How much cheaper it is than the first one.
    pub gain: u64,
}

/// The cheapest selections found for the roots by the prices for each `fused_bytes`. `input` gives the nodes of the program as it was,
/// in its order.
pub(crate) fn extract(egraph: &EGraph, roots: &[Id], input: &[(Id, Node)], fused_bytes: &[u64]) -> Vec<Extracted> {
    let mut first: Option<Vec<Option<usize>>> = None;
    let one = |&fused_bytes: &u64| {
        let table = Table::new(egraph, fused_bytes);
        let roots: Vec<usize> = roots.iter().map(|&x| table.number(egraph, x)).collect();
        let Some((total, choice, is_input)) = cheapest(egraph, &table, &roots, input) else {
            return Extracted { selection: None, gain: 0 };
        };
        let known = first.get_or_insert_with(|| choice.clone());
        let gain = table.total(&roots, known).map_or(0, |known| known.saturating_sub(total));
        let nodes = choice.iter().enumerate().filter_map(|(class, node)| {
            let id = table.classes[class];
            Some((id, egraph[id].nodes[(*node)?].clone()))
        });
        Extracted { selection: (!is_input).then(|| nodes.collect()), gain }
    };
    fused_bytes.iter().map(one).collect()
}

/// The lowest price found and the choice that has it, and whether that is the program as it was. `None` where that has a cycle.
fn cheapest(
    egraph: &EGraph,
    table: &Table,
    roots: &[usize],
    input: &[(Id, Node)],
) -> Option<(u64, Vec<Option<usize>>, bool)> {
    // What comes from outside is there already.
    let leaf = |&class: &Id| egraph[class].nodes.iter().position(|n| matches!(n.head, Head::Leaf(_)));
    let mut choice: Vec<Option<usize>> = table.classes.iter().map(leaf).collect();
    for (id, node) in input {
        let class = table.number(egraph, *id);
        // The first node of a class in the program's order: its operands' first nodes stand before it, so there is no
        // cycle.
        if choice[class].is_none() {
            let node = node.clone().map_children(|x| egraph.find(x));
            choice[class] = egraph[table.classes[class]].nodes.iter().position(|n| same(egraph, n, &node));
        }
    }
    let before = table.total(roots, &choice)?;
    let as_it_was = choice.clone();
    let mut best = (before, choice.clone());
    let greedy = table.cost_sets();
    if let Some(total) = table.total(roots, &greedy)
        && total < before
    {
        best = (total, greedy.clone());
    }
    // Classes that only the other candidate needs keep its choice, so that climbing can reach them.
    let (mut total, mut choice) = best;
    for (class, node) in greedy.iter().enumerate() {
        if choice[class].is_none() {
            choice[class] = *node;
        }
    }
    table.climb(roots, &mut choice, &mut total);
    let several = table.nodes.iter().filter(|nodes| nodes.len() > 1).count();
    if several <= MOST_CHOICES {
        let undecided = vec![None; table.classes.len()];
        let mut search = Search { table, roots, choice: undecided, best: (total, choice), decisions: 0 };
        search.decide(&mut roots.to_vec(), 0);
        (total, choice) = search.best;
    }
    Some(if total < before { (total, choice, false) } else { (before, as_it_was, true) })
}

/// Equal nodes, or with the operands of a commutative op exchanged.
fn same(egraph: &EGraph, a: &Node, b: &Node) -> bool {
    a == b || crate::egraph::canonical(egraph, a.clone()) == crate::egraph::canonical(egraph, b.clone())
}
