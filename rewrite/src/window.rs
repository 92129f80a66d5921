//! Equality saturation in windows of a few hundred equations.
//!
//! A window is a run of consecutive nodes; what it needs from outside are leaves, what is needed outside are its
//! roots. Windows in which no growing rule matches are left alone, since the shrinking rules have already done there
//! what they can. Windows of the same structure, such as equal layers of a network, are solved once.

use std::sync::Arc;

use egg::{Id, Language};
use rjax_ir::{Aval, Op, Program, Scalar};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::Options;
use crate::cost::{FINENESS, total};
use crate::dag::{Dag, Entry, Fired, Head, Node, OpId, Ops};
use crate::egraph::{self, Data, EGraph, Facts};
use crate::extract::{Extracted, Selection, extract};
use crate::known::Known;
use crate::saturate::{Limits, Provenance, saturate};
use crate::term::{Definition, Term, matches};

/// The windows that were solved, for all programs and forms of one run.
pub(crate) struct Solved {
    /// What a byte of an elementwise result costs in each of the forms that are wanted.
    fused_bytes: Vec<u64>,
    /// The form that is being made.
    pub form: usize,
    /// How much cheaper the windows of the program that is being simplified are in each form, by its own prices, than in the first.
    pub gains: Vec<u64>,
    /// The ops of all programs: in keys they go by their numbers here.
    ops: Ops,
    /// For each window what to put in its place in each form, and the gain over the first.
    plans: FxHashMap<Vec<KeyPart>, Vec<(Option<Arc<Plan>>, u64)>>,
}

impl Solved {
    /// Nothing yet.
    pub fn new(fused_bytes: Vec<u64>) -> Solved {
        let gains = vec![0; fused_bytes.len()];
        Solved { fused_bytes, form: 0, gains, ops: Ops::default(), plans: FxHashMap::default() }
    }

    /// Whether in some form a program is cheaper than in the first by so much that an estimate can tell.
    pub fn forms_differ(&self, program: &Program) -> bool {
        let forms = self.fused_bytes.iter().zip(&self.gains);
        forms.into_iter().any(|(&fused_bytes, &gain)| gain > 0 && gain > total(program, fused_bytes) / FINENESS)
    }
}

/// One pass over all windows. Returns the new graph and outputs, or nothing if no window got better.
pub(crate) fn pass<'r>(
    dag: &Dag<'r>,
    outputs: &[Id],
    options: &Options,
    solved: &mut Solved,
    number: usize,
) -> Option<(Dag<'r>, Vec<Id>)> {
    let live = dag.live(outputs);
    let computed: Vec<usize> = (0..live.len()).filter(|&i| live[i] && is_computed(&dag.entries[i])).collect();
    let windows = cut(dag, &computed, options.window, number);
    let last_use = last_uses(dag, outputs, &live);
    let mut solver = Solver { dag, options, last_use, ops: dag.ops.clone(), numbers: FxHashMap::default(), solved };
    let plans: Vec<(&[usize], Option<Arc<Plan>>)> =
        windows.into_iter().map(|window| (window, solver.window(window))).collect();
    if plans.iter().all(|(_, plan)| plan.is_none()) {
        return None;
    }
    Some(rebuild(dag, outputs, solver.ops, &plans))
}

/// How many nodes on each side of a cut decide about it.
const CONTEXT: usize = 4;

/// Cuts nodes into windows of at most `width`, and of half of that at least.
///
/// Where to cut is decided by the nodes around the cut, not by their position, so that the windows of equal layers are equal
/// and solved once. Other passes cut elsewhere.
fn cut<'n>(dag: &Dag, nodes: &'n [usize], width: usize, pass: usize) -> Vec<&'n [usize]> {
    let least = (width / 2).max(1);
    let mut windows = vec![];
    let mut rest = nodes;
    while rest.len() > width.max(1) {
        let place = (least..=width.max(1)).min_by_key(|&place| mix(dag, &rest[place - least.min(CONTEXT)..], pass));
        let (window, tail) = rest.split_at(place.expect("least is at most the width"));
        windows.push(window);
        rest = tail;
    }
    if !rest.is_empty() {
        windows.push(rest);
    }
    windows
}

/// A number made from the first few nodes (FNV-1a, Fowler, Noll and Vo).
fn mix(dag: &Dag, nodes: &[usize], seed: usize) -> u64 {
    let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3);
    let mut hash = step(0xcbf2_9ce4_8422_2325, seed as u64);
    for &i in nodes.iter().take(2 * CONTEXT) {
        let entry = &dag.entries[i];
        let head = match entry.node.head {
            Head::Op(op) | Head::Unique(op, _) | Head::Effect(op, _) => 1 + u64::from(op.index()),
            Head::Leaf(_) | Head::Const(_) | Head::Literal(_) | Head::Projection(_) => 0,
        };
        hash = step(hash, head);
        let extents = entry.avals.iter().flat_map(|aval| aval.shape.iter());
        hash = extents.fold(hash, |hash, &extent| step(hash, extent as u64));
    }
    // The lower bits are the better mixed.
    hash.rotate_left(32)
}

/// Whether a node is computed when the program runs, unlike inputs, constants and what has one number everywhere.
fn is_computed(entry: &Entry) -> bool {
    match entry.node.head {
        Head::Leaf(_) | Head::Const(_) | Head::Literal(_) => false,
        Head::Op(_) | Head::Projection(_) | Head::Unique(..) | Head::Effect(..) => entry.splat.is_none(),
    }
}

/// For each node the last node that uses it, or a number beyond all for outputs.
fn last_uses(dag: &Dag, outputs: &[Id], live: &[bool]) -> Vec<usize> {
    let mut last = vec![0; dag.entries.len()];
    for (i, entry) in dag.entries.iter().enumerate().filter(|(i, _)| live[*i]) {
        for &x in &entry.node.inputs {
            last[usize::from(x)] = i;
        }
    }
    for &x in outputs {
        last[usize::from(x)] = usize::MAX;
    }
    last
}

/// What to put in the place of a window: steps whose operands are leaves of the window or earlier steps.
#[derive(PartialEq)]
struct Plan {
    steps: Vec<Step>,
    /// Positions in the window of what is needed outside, and what each becomes.
    roots: Vec<(usize, Source)>,
    /// Rules that found a value to be one that was there already.
    notes: Vec<(Source, Fired)>,
}

#[derive(PartialEq)]
struct Step {
    what: What,
    inputs: Vec<Source>,
    avals: Arc<[Aval]>,
    /// The node of the window, by its position, whose location and history the step inherits.
    origin: usize,
    fired: Fired,
}

#[derive(PartialEq)]
enum What {
    /// The node of the window at the step's origin.
    Original,
    /// An op that a rule made.
    Made(Arc<Op>),
    /// A scalar that a rule made.
    Literal(Scalar),
}

/// Where an operand comes from.
#[derive(Clone, Copy, PartialEq)]
enum Source {
    Leaf(usize),
    Step(usize),
}

/// A window with its values renamed in order: equal for windows of the same structure.
#[derive(Clone, PartialEq, Eq, Hash)]
enum KeyPart {
    Leaf(Arc<[Aval]>, Option<Scalar>, Known),
    Node(Node),
    /// The node before is needed outside.
    Root,
}

struct Solver<'a, 'r> {
    dag: &'a Dag<'r>,
    options: &'a Options,
    last_use: Vec<usize>,
    /// Lent to the e-graph of one window after the other.
    ops: Ops,
    /// The ops of this graph by what they are called in keys.
    numbers: FxHashMap<OpId, OpId>,
    solved: &'a mut Solved,
}

/// A window as an e-graph.
struct Problem {
    egraph: EGraph,
    /// The classes of the outside values, in the order of their first use.
    leaves: Vec<Id>,
    /// The class and node of each node of the window.
    input: Vec<(Id, Node)>,
    /// For each node of the window the classes of its operands in their order in the program.
    operands: Vec<SmallVec<[Id; 4]>>,
    /// Positions of the nodes that are needed outside or have an effect.
    roots: Vec<usize>,
}

impl Solver<'_, '_> {
    fn window(&mut self, window: &[usize]) -> Option<Arc<Plan>> {
        if !self.is_promising(window) {
            return None;
        }
        let key = self.key(window);
        if !self.solved.plans.contains_key(&key) {
            let plans = self.solve(window);
            self.solved.plans.insert(key.clone(), plans);
        }
        let plans = &self.solved.plans[&key];
        self.solved.gains.iter_mut().zip(plans).for_each(|(sum, (_, gain))| *sum = sum.saturating_add(*gain));
        plans[self.solved.form].0.clone()
    }

    /// Whether some growing rule has something to say.
    fn is_promising(&self, window: &[usize]) -> bool {
        let dag = self.dag;
        window.iter().any(|&i| {
            let entry = &dag.entries[i];
            let (Head::Op(op), [aval]) = (entry.node.head, &entry.avals[..]) else { return false };
            dag.rules.growing(op.code).iter().any(|rule| {
                let mut found = false;
                if rule.class_on(dag, &entry.node.inputs, aval, dag.rules.tier).is_some() {
                    let root = Definition { op: dag.ops.get(op), inputs: &entry.node.inputs };
                    matches(dag, &dag.ops, root, aval, rule.apply, 16, |_| found = true);
                }
                found
            })
        })
    }

    fn is_root(&self, window: &[usize], i: usize) -> bool {
        let end = *window.last().expect("windows are not empty");
        self.last_use[i] > end || matches!(self.dag.entries[i].node.head, Head::Effect(..))
    }

    fn key(&mut self, window: &[usize]) -> Vec<KeyPart> {
        let mut key = Vec::new();
        let mut numbers: FxHashMap<usize, Id> = FxHashMap::default();
        for &i in window {
            let entry = &self.dag.entries[i];
            let mut inputs = SmallVec::new();
            for &x in &entry.node.inputs {
                let next = Id::from(numbers.len());
                inputs.push(*numbers.entry(usize::from(x)).or_insert_with(|| {
                    let outside = self.dag.entry(x);
                    key.push(KeyPart::Leaf(outside.avals.clone(), outside.splat, outside.known));
                    next
                }));
            }
            let next = Id::from(numbers.len());
            numbers.insert(i, next);
            let head = match entry.node.head {
                Head::Op(op) => Head::Op(self.name(op)),
                Head::Unique(op, _) => Head::Unique(self.name(op), 0),
                Head::Effect(op, number) => Head::Effect(self.name(op), number.min(1)),
                head @ (Head::Leaf(_) | Head::Const(_) | Head::Literal(_) | Head::Projection(_)) => head,
            };
            key.push(KeyPart::Node(Node { head, inputs }));
            if self.is_root(window, i) {
                key.push(KeyPart::Root);
            }
        }
        key
    }

    /// What an op is called in keys, whichever graph it is in.
    fn name(&mut self, op: OpId) -> OpId {
        *self.numbers.entry(op).or_insert_with(|| self.solved.ops.intern(self.dag.ops.get(op)))
    }

    /// What to put in the place of a window in each form, the same plan where it is the same, and the gain over the first.
    fn solve(&mut self, window: &[usize]) -> Vec<(Option<Arc<Plan>>, u64)> {
        let mut problem = self.problem(window);
        let limits =
            Limits { iterations: self.options.iterations, nodes: self.options.growth * problem.egraph.nodes().len() };
        let provenance = saturate(&mut problem.egraph, self.dag.rules, &limits);
        let roots: Vec<Id> = problem.roots.iter().map(|&position| problem.input[position].0).collect();
        let selections = extract(&problem.egraph, &roots, &problem.input, &self.solved.fused_bytes);
        let mut plans: Vec<(Option<Arc<Plan>>, u64)> = vec![];
        for Extracted { selection, gain } in selections {
            let plan = selection.map(|selection| Arc::new(plan(&problem, &selection, &provenance)));
            let known = plans.iter().find(|(known, _)| *known == plan).map(|(known, _)| known.clone());
            plans.push((known.unwrap_or(plan), gain));
        }
        self.ops = std::mem::take(&mut problem.egraph.analysis.ops);
        plans
    }

    fn problem(&mut self, window: &[usize]) -> Problem {
        let facts = Facts { ops: std::mem::take(&mut self.ops), leaves: Vec::new() };
        let mut p =
            Problem { egraph: EGraph::new(facts), leaves: vec![], input: vec![], operands: vec![], roots: vec![] };
        let mut classes: FxHashMap<usize, Id> = FxHashMap::default();
        for (position, &i) in window.iter().enumerate() {
            let entry = &self.dag.entries[i];
            let mut inputs: SmallVec<[Id; 4]> = SmallVec::new();
            for &x in &entry.node.inputs {
                let class = *classes.entry(usize::from(x)).or_insert_with(|| {
                    let outside = self.dag.entry(x);
                    let number = p.leaves.len() as u32;
                    let data = Data { avals: outside.avals.clone(), splat: outside.splat, known: outside.known };
                    p.egraph.analysis.leaves.push(data);
                    let leaf = p.egraph.add(Node { head: Head::Leaf(number), inputs: SmallVec::new() });
                    p.leaves.push(leaf);
                    if let (Some(value), [aval]) = (outside.splat, &outside.avals[..]) {
                        let full = egraph::insert(&mut p.egraph, &Term::full(value, &aval.shape));
                        p.egraph.union(leaf, full);
                    }
                    leaf
                });
                inputs.push(class);
            }
            p.operands.push(inputs.clone());
            let node = egraph::canonical(&p.egraph, Node { head: entry.node.head, inputs });
            let class = p.egraph.add(node.clone());
            classes.insert(i, class);
            p.input.push((class, node));
            if self.is_root(window, i) {
                p.roots.push(position);
            }
        }
        p.egraph.rebuild();
        p
    }
}

/// Puts a selection in an order of execution: operands first, roots in the order of the program.
fn plan(problem: &Problem, selection: &Selection, provenance: &Provenance) -> Plan {
    let egraph = &problem.egraph;
    let rules = provenance.by_node(egraph);
    // The first node of the program in each class, and the position of each node.
    let mut first: FxHashMap<Id, usize> = FxHashMap::default();
    let mut positions: FxHashMap<Node, usize> = FxHashMap::default();
    for (position, (id, node)) in problem.input.iter().enumerate() {
        first.entry(egraph.find(*id)).or_insert(position);
        positions.entry(settled(egraph, node)).or_insert(position);
    }
    let mut plan = Plan { steps: vec![], roots: vec![], notes: vec![] };
    let mut reported: FxHashSet<usize> = FxHashSet::default();
    let mut sources: FxHashMap<Id, Source> = FxHashMap::default();
    for (number, &leaf) in problem.leaves.iter().enumerate() {
        let class = egraph.find(leaf);
        if matches!(selection.get(&class), Some(node) if node.head == Head::Leaf(number as u32)) {
            sources.insert(class, Source::Leaf(number));
        }
    }
    for &root in &problem.roots {
        let class = egraph.find(problem.input[root].0);
        let mut stack = vec![class];
        while let Some(&class) = stack.last() {
            if sources.contains_key(&class) {
                stack.pop();
                continue;
            }
            let node = &selection[&class];
            let missing: Vec<Id> = {
                let operands = node.inputs.iter().rev().map(|&x| egraph.find(x));
                operands.filter(|x| !sources.contains_key(x)).collect()
            };
            if !missing.is_empty() {
                stack.extend(missing);
                continue;
            }
            stack.pop();
            let original = positions.get(&settled(egraph, node)).copied();
            let origin = original.or_else(|| first.get(&class).copied()).unwrap_or(root);
            let operands = match original {
                Some(position) => &problem.operands[position],
                None => &node.inputs,
            };
            let mut fired = Fired::new();
            if let Some(application) = rules.get(&settled(egraph, node)).copied().flatten()
                && reported.insert(application.number)
            {
                fired.push((application.rule, application.class));
            }
            let step = Step {
                what: match (original, node.head) {
                    (Some(_), _) => What::Original,
                    (None, Head::Op(op)) => What::Made(egraph.analysis.ops.shared(op)),
                    (None, Head::Literal(value)) => What::Literal(value),
                    (
                        None,
                        Head::Leaf(_) | Head::Const(_) | Head::Projection(_) | Head::Unique(..) | Head::Effect(..),
                    ) => {
                        unreachable!("rules make ops and literals")
                    }
                },
                inputs: operands.iter().map(|&x| sources[&egraph.find(x)]).collect(),
                avals: egraph[class].data.avals.clone(),
                origin,
                fired,
            };
            sources.insert(class, Source::Step(plan.steps.len()));
            plan.steps.push(step);
        }
        plan.roots.push((root, sources[&class]));
    }
    // Values of the program that turned out to be others of it.
    let replaced = problem.input.iter().enumerate().filter(|(_, (id, node))| {
        selection.get(&egraph.find(*id)).is_some_and(|chosen| settled(egraph, chosen) != settled(egraph, node))
    });
    for (_, (id, _)) in replaced {
        let class = egraph.find(*id);
        if let Some(&source) = sources.get(&class) {
            plan.notes.push((source, provenance.merges(egraph, class).into_iter().collect()));
        }
    }
    plan
}

/// A node as it stands in the finished e-graph, operands of commutative ops in order.
fn settled(egraph: &EGraph, node: &Node) -> Node {
    egraph::canonical(egraph, node.clone().map_children(|x| egraph.find(x)))
}

/// Copies the graph with the windows replaced by their plans.
fn rebuild<'r>(dag: &Dag<'r>, outputs: &[Id], ops: Ops, plans: &[(&[usize], Option<Arc<Plan>>)]) -> (Dag<'r>, Vec<Id>) {
    let (mut next, mut map) = start(dag, ops);
    for (window, plan) in plans {
        match plan {
            None => {
                for &i in *window {
                    let entry = &dag.entries[i];
                    let inputs: Vec<Id> = entry.node.operands().iter().map(|x| map[x]).collect();
                    let id = copy(dag, &mut next, i, &inputs);
                    map.insert(Id::from(i), id);
                }
            }
            Some(plan) => apply(dag, &mut next, &mut map, window, plan),
        }
    }
    let outputs = outputs.iter().map(|x| map[x]).collect();
    (next, outputs)
}

/// A graph with the inputs and constants of another and what has one number everywhere, and where they are.
pub(crate) fn start<'r>(dag: &Dag<'r>, ops: Ops) -> (Dag<'r>, FxHashMap<Id, Id>) {
    let mut next = Dag::new(dag.rules, ops, dag.top_level, dag.fold_elements);
    let mut map: FxHashMap<Id, Id> = FxHashMap::default();
    for (i, entry) in dag.entries.iter().enumerate() {
        let id = match entry.node.head {
            Head::Leaf(number) => next.leaf(number as usize, entry.avals[0].clone()),
            Head::Const(number) => next.constant(dag.consts[number as usize].clone()),
            Head::Literal(value) => next.literal(value),
            Head::Op(_) | Head::Projection(_) | Head::Unique(..) | Head::Effect(..) => match entry.splat {
                Some(value) => next.insert_term(&Term::full(value, &entry.avals[0].shape), &entry.location, 0),
                None => continue,
            },
        };
        next.note(id, &entry.fired);
        next.weaken(id, entry.weakest);
        map.insert(Id::from(i), id);
    }
    (next, map)
}

/// Adds the node of another graph with these operands.
pub(crate) fn copy(dag: &Dag, next: &mut Dag, i: usize, inputs: &[Id]) -> Id {
    let entry = &dag.entries[i];
    let id = match entry.node.head {
        Head::Projection(index) => next.projection(inputs[0], index as usize),
        Head::Op(op) | Head::Unique(op, _) | Head::Effect(op, _) => {
            next.node(dag.ops.get(op), inputs, entry.avals.clone(), &entry.location)
        }
        Head::Leaf(_) | Head::Const(_) | Head::Literal(_) => unreachable!("not computed"),
    };
    next.note(id, &entry.fired);
    next.weaken(id, entry.weakest);
    id
}

fn apply(dag: &Dag, next: &mut Dag, map: &mut FxHashMap<Id, Id>, window: &[usize], plan: &Plan) {
    // The outside values, in the order of their first use as in `Solver::problem`.
    let mut leaves: Vec<Id> = Vec::new();
    let mut seen: FxHashSet<usize> = FxHashSet::default();
    for &i in window {
        for &x in &dag.entries[i].node.inputs {
            if seen.insert(usize::from(x)) {
                leaves.push(x);
            }
        }
        seen.insert(i);
    }
    let mut steps: Vec<Id> = Vec::new();
    let at = |source: Source, steps: &[Id], map: &FxHashMap<Id, Id>| match source {
        Source::Leaf(number) => map[&leaves[number]],
        Source::Step(number) => steps[number],
    };
    for step in &plan.steps {
        let origin = window[step.origin];
        let entry = &dag.entries[origin];
        let mut inputs: Vec<Id> = step.inputs.iter().map(|&s| at(s, &steps, map)).collect();
        let id = match &step.what {
            What::Original => {
                // The chain of effects is made anew.
                inputs.truncate(entry.node.operands().len());
                copy(dag, next, origin, &inputs)
            }
            What::Made(op) => next.node(op, &inputs, step.avals.clone(), &entry.location),
            What::Literal(value) => next.literal(*value),
        };
        next.note(id, &step.fired);
        steps.push(id);
    }
    for (source, fired) in &plan.notes {
        let id = at(*source, &steps, map);
        next.note(id, fired);
    }
    for (position, source) in &plan.roots {
        let id = at(*source, &steps, map);
        next.weaken(id, dag.entries[window[*position]].weakest);
        map.insert(Id::from(window[*position]), id);
    }
}
