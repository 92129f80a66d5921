//! What simplification keeps: signatures, effects and their order, protected regions, programs inside ops; and its
//! scale.

use std::sync::Arc;

use rjax_ir::{
    Atom, Aval, Binary, Builder, DType, DebugPrint, Interpreter, Op, Program, Remat, RematPolicy, Scalar, Scan, Tensor,
    Unary, eval, verify,
};
use rjax_rewrite::{Options, Tier, cost, simplify, simplify_explained};

fn parse(text: &str) -> Program {
    Program::parse(text, "test").unwrap()
}

fn simplified(text: &str) -> String {
    let program = simplify(&parse(text), &Options::default()).expect("simplifies");
    verify(&program).expect("well formed");
    program.to_string()
}

#[test]
fn inputs_stay_though_nobody_uses_them() {
    let text = "{ lambda ; a:f32[3] b:i32[]. let c:f32[3] = sin a in (b, b, 1.0:f32) }";
    assert_eq!(simplified(text), "{ lambda ; a:f32[3] b:i32[]. let in (b, b, 1.0:f32) }");
}

#[test]
fn equal_equations_are_computed_once_in_either_order() {
    let text = "{ lambda ; a:f32[3] b:f32[3]. let c:f32[3] = mul a b; d:f32[3] = mul b a; e:f32[3] = sub c d in (e,) }";
    assert_eq!(simplified(text), "{ lambda ; a:f32[3] b:f32[3]. let c:f32[3] = mul a b; d:f32[3] = sub c c in (d,) }");
    // The maximum of complex numbers depends on the order where a NaN is compared.
    let text = "{ lambda ; a:c64[] b:c64[]. let c:c64[] = max a b; d:c64[] = max b a in (c, d) }";
    assert_eq!(simplified(text), text);
}

#[test]
fn prints_stay_in_order_and_are_never_merged() {
    let mut b = Builder::new();
    let x = b.input(Aval::scalar(DType::F32));
    let print = |b: &mut Builder, format: &str, x: Atom| {
        b.emit(Op::DebugPrint(DebugPrint { format: format.into() }), &[x]);
    };
    let y = b.neg(x);
    let y = b.neg(y);
    print(&mut b, "first {}", y);
    print(&mut b, "second {}", x);
    print(&mut b, "first {}", y);
    let program = b.finish(vec![y]);
    for window in [1, 2, 200] {
        let after = simplify(&program, &Options { window, ..Options::default() }).unwrap();
        let mut printed = Vec::new();
        let input = [Tensor::scalar(2.0f32)];
        Interpreter::new(&mut |text| printed.push(text.to_string())).eval(&after, &input).unwrap();
        assert_eq!(printed, ["first 2.0", "second 2.0", "first 2.0"]);
    }
}

#[test]
fn recomputation_is_not_merged() {
    let mut b = Builder::new();
    let x = b.input(Aval::scalar(DType::F32));
    let y = b.unary(Unary::Sin, x);
    let inner = Arc::new(b.finish(vec![y]));
    let twice = |differentiated: bool| {
        let mut b = Builder::new();
        let x = b.input(Aval::scalar(DType::F32));
        let op = Op::Remat(Remat { program: inner.clone(), policy: RematPolicy::default(), differentiated });
        let (y, z) = (b.emit1(op.clone(), &[x]), b.emit1(op, &[x]));
        let product = b.mul(y, z);
        simplify(&b.finish(vec![product]), &Options::default()).unwrap().eqns.len()
    };
    assert_eq!((twice(false), twice(true)), (2, 3));
    let text = "{ lambda ; a:f32[]. let
    b:f32[] = optimization_barrier a
    c:f32[] = optimization_barrier a
    d:f32[] = add b c
  in (d,) }";
    assert_eq!(simplified(text), text);
    let text = "{ lambda ; a:f32[]. let b:f32[] = stop_gradient a; c:f32[] = mul a b in (c,) }";
    assert_eq!(simplified(text), text);
}

#[test]
fn bodies_of_loops_are_simplified_and_keep_their_signature() {
    let mut b = Builder::new();
    let aval = Aval::new(DType::F32, [4]);
    let (unused, carry, x) = (b.input(aval.clone()), b.input(aval.clone()), b.input(aval.clone()));
    let _ = b.mul(unused, unused);
    let y = b.neg(x);
    let y = b.neg(y);
    let next = b.add(carry, y);
    let body = Arc::new(b.finish(vec![next, carry]));
    let mut b = Builder::new();
    let (w, start, xs) = (b.input(aval.clone()), b.input(aval.clone()), b.input(Aval::new(DType::F32, [5, 4])));
    let scan = Scan { body, length: 5, reverse: true, num_consts: 1, num_carry: 1 };
    let outputs = b.emit(Op::Scan(scan), &[w, start, xs]);
    let program = b.finish(outputs);
    let (after, report) = simplify_explained(&program, &Options::default()).unwrap();
    verify(&after).expect("well formed");
    assert_eq!(after.count_eqns(), 2);
    assert_eq!((report.before.flops, report.after.flops), (5 * 16, 5 * 4));
    let inputs = [1.0f32, 2.0, 3.0].map(|v| v);
    let inputs: Vec<Tensor> =
        program.in_avals().iter().zip(inputs).map(|(a, v)| Tensor::full(a.shape.clone(), Scalar::new(v))).collect();
    let (before, found) = (eval(&program, &inputs).unwrap(), eval(&after, &inputs).unwrap());
    assert!(before.iter().zip(&found).all(|(x, y)| x.bits_equal(y)));
}

#[test]
fn a_known_branch_takes_the_place_of_its_conditional() {
    let text = "{ lambda ; a:f32[]. let
    b:f32[] = cond[
      branches=(
        { lambda ; c:f32[]. let d:f32[] = sin c in (d,) },
        { lambda ; c:f32[]. let d:f32[] = neg c; e:f32[] = neg d in (e,) }
      )
    ] 7:i32 a
  in (b,) }";
    assert_eq!(simplified(text), "{ lambda ; a:f32[]. let in (a,) }");
}

#[test]
fn folding_makes_constants_only_at_top_level_and_only_small_ones() {
    let text = "{ lambda b:f32[2]={1.0 2.0}; a:f32[2]. let c:f32[2] = exp b; d:f32[2] = mul a c in (d,) }";
    let after = simplify(&parse(text), &Options::default()).unwrap();
    assert_eq!((after.consts.len(), after.eqns.len()), (1, 1));
    let none = simplify(&parse(text), &Options { fold_elements: 1, ..Options::default() }).unwrap();
    assert_eq!(none.eqns.len(), 2);
    // 4096 x 4096 ones are never stored.
    let text = "{ lambda ; a:f32[4096,4096]. let
    b:f32[4096,4096] = broadcast_in_dim[broadcast_dimensions=() shape=(4096, 4096)] 1.0:f32
    c:f32[4096,4096] = add b b
    d:f32[4096,4096] = mul a c
  in (d,) }";
    let after = simplify(&parse(text), &Options::default()).unwrap();
    assert_eq!((after.consts.len(), after.eqns.len()), (0, 2));
}

#[test]
fn a_report_names_what_survived_and_how_exact_it_is() {
    let text = "{ lambda ; a:f32[3] b:f32[3]. let c:f32[3] = neg a; d:f32[3] = neg c; e:f32[3] = mul a b; f:f32[3] = mul d a; g:f32[3] = add e f in (g,) }";
    let (after, report) = simplify_explained(&parse(text), &Options::default()).unwrap();
    assert_eq!(after.eqns.len(), 2);
    let rules: Vec<_> = report.rewrites.iter().map(|r| (r.rule, r.class.name(), r.count)).collect();
    assert_eq!(rules, [("factor-product", "rounding", 1), ("neg-neg", "exact", 1)]);
    assert_eq!(report.to_string().lines().next(), Some("flops 15 -> 6, bytes 156 -> 72"));
    let (_, report) = simplify_explained(&parse(text), &Options { tier: Tier::Strict, ..Options::default() }).unwrap();
    assert_eq!(report.weakest_class().name(), "exact");
}

/// A network of `layers` dense layers, its gradient by hand, and an update: about 12 equations a layer.
fn network(layers: usize) -> Program {
    let mut b = Builder::new();
    let f = DType::F32;
    let x = b.input(Aval::new(f, [8, 16]));
    let weights: Vec<Atom> = (0..layers).map(|_| b.input(Aval::new(f, [16, 16]))).collect();
    let (mut h, mut kept) = (x, vec![]);
    for &w in &weights {
        let y = b.dot_general(h, w, (&[1], &[0]), (&[], &[]), f);
        let t = b.unary(Unary::Tanh, y);
        kept.push((h, t));
        h = t;
    }
    let mut g = b.mul_scalar(h, 2.0);
    let mut outputs = Vec::new();
    for (&w, (h, t)) in weights.iter().zip(kept).rev() {
        let square = b.mul(t, t);
        let one = b.full(&b.shape(t), Scalar::one(f));
        let slope = b.sub(one, square);
        let g_y = b.mul(g, slope);
        let ht = b.transpose(h, &[1, 0]);
        let g_w = b.dot_general(ht, g_y, (&[1], &[0]), (&[], &[]), f);
        let wt = b.transpose(w, &[1, 0]);
        g = b.dot_general(g_y, wt, (&[1], &[0]), (&[], &[]), f);
        let step = b.mul_scalar(g_w, 0.01);
        outputs.push(b.binary(Binary::Sub, w, step));
    }
    b.finish(outputs)
}

#[test]
fn twenty_thousand_equations_are_no_problem() {
    let program = network(1700);
    assert!(program.count_eqns() > 20_000, "{}", program.count_eqns());
    let start = std::time::Instant::now();
    let (after, report) = simplify_explained(&program, &Options::default()).unwrap();
    println!("{} equations in {:?}", program.count_eqns(), start.elapsed());
    verify(&after).expect("well formed");
    assert!(report.after.flops <= report.before.flops);
    assert!(!after.eqns.iter().any(|eqn| matches!(eqn.op, Op::Transpose { .. })), "dots absorb transposes");
    // One long chain of calls deep: nothing recurses over the program.
    let mut b = Builder::new();
    let mut x = b.input(Aval::new(DType::F32, [2]));
    let y = b.input(Aval::new(DType::F32, [2]));
    for i in 0..20_000 {
        x = if i % 2 == 0 { b.add(x, y) } else { b.mul(x, y) };
    }
    let chain = b.finish(vec![x]);
    let start = std::time::Instant::now();
    let after = simplify(&chain, &Options::default()).unwrap();
    println!("a chain of {} in {:?}", chain.eqns.len(), start.elapsed());
    assert!(cost(&after) <= cost(&chain));
    // Every window has something for the e-graph to do.
    let mut b = Builder::new();
    let [mut x, y, z] = [(); 3].map(|()| b.input(Aval::new(DType::F32, [2])));
    for _ in 0..7_000 {
        let (left, right) = (b.mul(x, y), b.mul(x, z));
        x = b.add(left, right);
    }
    let factors = b.finish(vec![x]);
    let start = std::time::Instant::now();
    let after = simplify(&factors, &Options::default()).unwrap();
    println!("{} equations to factor in {:?}", factors.eqns.len(), start.elapsed());
    // All but those that a border of windows cuts in both passes.
    assert!((7_001..7_010).contains(&after.eqns.len()), "{}", after.eqns.len());
}
