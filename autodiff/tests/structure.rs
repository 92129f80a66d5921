//! What the derivatives of structured ops look like: which residuals are kept, what leaves a loop, what runs again.

use rjax_autodiff::{Linearized, grad, linearize, vjp};
use rjax_ir::{Op, Program, Scan, Tensor, eval, verify};

fn parse(text: &str) -> Program {
    Program::parse(text, "test").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn linearized(text: &str) -> Linearized {
    let program = parse(text);
    let active: Vec<bool> = program.in_avals().iter().map(|a| a.dtype.is_inexact()).collect();
    let linearized = linearize(&program, &active).unwrap();
    verify(&linearized.primal).unwrap();
    verify(&linearized.linear).unwrap();
    linearized
}

/// The types of the residuals.
fn residuals(l: &Linearized) -> Vec<String> {
    l.linear.in_avals()[..l.num_residuals].iter().map(|a| a.to_string()).collect()
}

fn scans(program: &Program) -> Vec<&Scan> {
    program.eqns.iter().filter_map(|eqn| if let Op::Scan(scan) = &eqn.op { Some(scan) } else { None }).collect()
}

fn count(program: &Program, name: &str) -> usize {
    let inner = |op: &Op| op.subprograms().iter().map(|p| count(p, name)).sum::<usize>();
    program.eqns.iter().map(|eqn| (eqn.op.name() == name) as usize + inner(&eqn.op)).sum()
}

#[test]
fn residuals_are_shared_and_inputs_handed_through() {
    let l = linearized(
        "{ lambda ; x:f32[3] y:f32[3]. let
            a:f32[3] = mul x y; b:f32[3] = mul a y; two:f32[3] = broadcast_in_dim[shape=(3,) broadcast_dimensions=()] 2.0:f32
            c:f32[3] = mul b two in (c, a) }",
    );
    // y twice, x and a; the factor 2 is not kept.
    assert_eq!(residuals(&l), ["f32[3]", "f32[3]", "f32[3]"]);
    let handed: Vec<_> = l.primal.outvars[2..].iter().filter(|a| l.primal.invars.contains(&a.var().unwrap())).collect();
    assert_eq!(handed.len(), 2);
    assert!(l.primal.outvars[2..].contains(&l.primal.outvars[1]), "a residual that is an output is that output");
}

#[test]
fn a_broadcast_is_repeated_instead_of_its_result_kept() {
    let l = linearized(
        "{ lambda ; s:f32[] x:f32[1000]. let
            t:f32[] = sin s; b:f32[1000] = broadcast_in_dim[shape=(1000,) broadcast_dimensions=()] t
            y:f32[1000] = mul b x in (y,) }",
    );
    assert_eq!(residuals(&l), ["f32[]", "f32[1000]", "f32[]"]);
}

#[test]
fn inactive_inputs_and_outputs_have_no_tangents() {
    let program = parse("{ lambda ; x:f32[] y:f32[] n:i32[]. let a:f32[] = sin x; b:f32[] = cos y in (a, b, n, x) }");
    let l = linearize(&program, &[true, false, false]).unwrap();
    assert_eq!(l.out_active, [true, false, false, true]);
    assert_eq!((l.linear.invars.len(), l.linear.outvars.len(), l.num_residuals), (2, 2, 1));
}

const RNN: &str = "{ lambda ; w:f32[3,3] h:f32[3] xs:f32[5,3]. let
    c:f32[3] ys:f32[5] = scan[
      jaxpr={ lambda ; w:f32[3,3] h:f32[3] x:f32[3]. let
          ws:f32[3,3] = sin w
          a:f32[3] = dot_general[dimension_numbers=(([1], [0]), ([], [])) preferred_element_type=f32] ws h
          b:f32[3] = add a x; c:f32[3] = tanh b; s:f32[] = reduce_sum[axes=(0,)] c in (c, s) }
      length=5 num_carry=1 num_consts=1 reverse=False] w h xs
    in (c, ys) }";

#[test]
fn loop_invariant_residuals_leave_the_scan() {
    let l = linearized(RNN);
    // cos w and sin w once; the slope of tanh and the carried h for each step.
    assert_eq!(residuals(&l), ["f32[3,3]", "f32[3,3]", "f32[5,3]", "f32[5,3]"]);
    let [scan] = scans(&l.primal)[..] else { panic!("one known loop") };
    assert_eq!(count(&scan.body, "sin") + count(&scan.body, "cos"), 0);
    let program = parse(RNN);
    let backward = vjp(&program, &[true, true, true]).unwrap().backward;
    let [scan] = scans(&backward)[..] else { panic!("one loop back") };
    assert!(scan.reverse);
}

#[test]
fn scanned_inputs_are_not_stacked_again() {
    let l = linearized(
        "{ lambda ; c:f32[] xs:f32[7]. let
            p:f32[] = scan[jaxpr={ lambda ; c:f32[] x:f32[]. let d:f32[] = mul c x in (d,) }
              length=7 num_carry=1 num_consts=0 reverse=False] c xs in (p,) }",
    );
    assert_eq!(residuals(&l), ["f32[7]", "f32[7]"]);
    assert!(l.primal.outvars[1..].contains(&l.primal.invars[1].into()), "xs itself is a residual");
    let [scan] = scans(&l.primal)[..] else { panic!("one known loop") };
    assert_eq!(scan.body.outvars.len(), 2, "the carry and its stack");
}

#[test]
fn a_counter_stays_in_the_known_loop() {
    let l = linearized(
        "{ lambda ; x:f32[]. let
            n:i32[] y:f32[] = scan[
              jaxpr={ lambda ; n:i32[] x:f32[]. let m:i32[] = add n 1:i32; y:f32[] = sin x in (m, y) }
              length=4 num_carry=2 num_consts=0 reverse=False] 0:i32 x in (n, y) }",
    );
    assert_eq!(residuals(&l), ["f32[4]"]);
    let [scan] = scans(&l.linear)[..] else { panic!("one linear loop") };
    assert_eq!((scan.num_consts, scan.num_carry, scan.body.eqns.len()), (0, 1, 1));
}

#[test]
fn branches_share_slots_for_residuals() {
    let l = linearized(
        "{ lambda ; i:i32[] x:f32[3] y:f32[]. let
            z:f32[3] = cond[branches=(
              { lambda ; x:f32[3] y:f32[]. let a:f32[3] = sin x in (a,) },
              { lambda ; x:f32[3] y:f32[]. let
                  b:f32[3] = broadcast_in_dim[shape=(3,) broadcast_dimensions=()] y
                  c:f32[3] = mul x b; d:f32[3] = exp c in (d,) },
              { lambda ; x:f32[3] y:f32[]. let in (x,) })] i x y in (z,) }",
    );
    // x, y and the index are inputs; cos x and exp share a slot.
    assert_eq!(residuals(&l), ["f32[3]", "f32[]", "f32[3]", "i32[]"]);
}

const WHILE: &str = "{ lambda ; x:f64[]. let
    i:i32[] y:f64[] = while[
      body_jaxpr={ lambda ; i:i32[] x:f64[]. let j:i32[] = add i 1:i32; y:f64[] = sin x in (j, y) } body_nconsts=0
      cond_jaxpr={ lambda ; i:i32[] x:f64[]. let c:bool[] = lt i 3:i32 in (c,) } cond_nconsts=0] 0:i32 x
    in (y,) }";

#[test]
fn while_loops_linearize_but_do_not_transpose() {
    let l = linearized(WHILE);
    let at = Tensor::scalar(0.5f64);
    let mut outputs = eval(&l.primal, &[at]).unwrap();
    let value = outputs.remove(0).get(0).to_f64();
    outputs.push(Tensor::scalar(1.0f64));
    let slope = eval(&l.linear, &outputs).unwrap()[0].get(0).to_f64();
    let s1 = 0.5f64.sin();
    assert_eq!(value, s1.sin().sin());
    assert!((slope - 0.5f64.cos() * s1.cos() * s1.sin().cos()).abs() < 1e-15);
    let error = vjp(&parse(WHILE), &[true]).unwrap_err().to_string();
    assert!(error.starts_with("while: reverse-mode differentiation needs the number of steps in advance"), "{error}");
    assert!(error.ends_with("at test:2:23"), "{error}");
}

#[test]
fn an_inner_loop_that_is_not_active_does_not_matter() {
    // The loop counts only; the gradient passes it by.
    let text = WHILE
        .replace("y:f64[] = sin x in (j, y)", "y:f64[] = add x 1.0:f64 in (j, y)")
        .replace("in (y,) }", "k:f64[] = convert_element_type[new_dtype=f64] i; z:f64[] = mul x k in (z,) }");
    let found = eval(&grad(&parse(&text), None).unwrap(), &[Tensor::scalar(2.0f64)]).unwrap();
    assert_eq!(found[0].get(0).to_f64(), 3.0);
}

fn checkpointed(policy: &str) -> String {
    format!(
        "{{ lambda ; x:f32[3] w:f32[3,3]. let
            y:f32[3] = checkpoint[differentiated=False policy={policy} jaxpr={{ lambda ; x:f32[3] w:f32[3,3]. let
                a:f32[3] = sin x
                b:f32[3] = dot_general[dimension_numbers=(([0], [0]), ([], [])) preferred_element_type=f32] a w
                c:f32[3] = name[name=hidden] b
                d:f32[3] = tanh c; e:f32[3] = sin d in (e,) }}] x w
            in (y,) }}"
    )
}

#[test]
fn policies_decide_what_is_kept_and_what_runs_again() {
    for (policy, kept, sines, dots) in [
        ("nothing_saveable", 2, 2, 1),
        ("everything_saveable", 5, 0, 0),
        ("dots_saveable", 3, 1, 0),
        ("dots_with_no_batch_dims_saveable", 3, 1, 0),
        ("save_only_these_names(names=(hidden,))", 3, 1, 0),
        ("save_only_these_names(names=(other,))", 2, 1, 1),
    ] {
        let l = linearized(&checkpointed(policy));
        assert_eq!(l.num_residuals, kept, "{policy}:\n{}", l.linear);
        let backward = vjp(&parse(&checkpointed(policy)), &[true, true]).unwrap().backward;
        verify(&backward).unwrap();
        let forward_dots = count(&backward, "dot_general") - 2;
        assert!(count(&backward, "sin") <= sines && forward_dots == dots, "{policy}:\n{backward}");
        let protected = |p: &Program| p.eqns.iter().any(|e| matches!(&e.op, Op::Remat(r) if r.differentiated));
        assert_eq!(protected(&backward), policy != "everything_saveable", "{policy}");
    }
}

#[test]
fn a_checkpointed_body_of_a_scan_keeps_the_carry_only() {
    let l = linearized(
        "{ lambda ; x:f32[3]. let
            y:f32[3] = scan[
              jaxpr={ lambda ; x:f32[3]. let
                y:f32[3] = checkpoint[differentiated=False policy=nothing_saveable
                  jaxpr={ lambda ; x:f32[3]. let a:f32[3] = sin x; b:f32[3] = exp a; c:f32[3] = tanh b in (c,) }] x
                in (y,) }
              length=9 num_carry=1 num_consts=0 reverse=False] x in (y,) }",
    );
    assert_eq!(residuals(&l), ["f32[9,3]"]);
}

#[test]
fn calls_stay_calls() {
    let text = "{ lambda ; x:f64[]. let
        y:f64[] = jit[name=f jaxpr={ lambda ; x:f64[]. let a:f64[] = sin x; b:f64[] = exp a in (b,) }] x in (y,) }";
    let l = linearized(text);
    assert_eq!((count(&l.primal, "jit"), count(&l.linear, "jit")), (1, 1));
    let found = eval(&grad(&parse(text), None).unwrap(), &[Tensor::scalar(0.5f64)]).unwrap()[0].get(0).to_f64();
    assert!((found - 0.5f64.sin().exp() * 0.5f64.cos()).abs() < 1e-15);
}

#[test]
fn values_do_not_wait_for_tangents() {
    // A rule that sorts values and tangents together.
    let l = linearized(
        "{ lambda ; x:f64[2]. let
            y:f64[2] = custom_jvp_call[
              call_jaxpr={ lambda ; x:f64[2]. let y:f64[2] = sort[dimension=0 is_stable=True num_keys=1] x in (y,) }
              jvp_jaxpr={ lambda ; x:f64[2] t:f64[2]. let
                  y:f64[2] u:f64[2] = sort[dimension=0 is_stable=True num_keys=1] x t in (y, u) }
              num_consts=0] x
            in (y,) }",
    );
    let at = Tensor::from_vec([2], vec![2.0, 1.0]);
    let mut outputs = eval(&l.primal, &[at]).unwrap();
    assert_eq!(outputs.remove(0).to_vec::<f64>(), [1.0, 2.0]);
    outputs.push(Tensor::from_vec([2], vec![20.0, 10.0]));
    assert_eq!(eval(&l.linear, &outputs).unwrap()[0].to_vec::<f64>(), [10.0, 20.0]);
}

/// A window sum of exponentials in logarithms, written with a general combiner, has the derivatives of the op made for it. The
/// steps that fall into the padding do not disturb them, though the combiner's slope is NaN there.
#[test]
fn general_combiners_have_reverse_mode() {
    let combined = parse(
        "{ lambda ; x:f64[4]. let
            y:f64[4] = reduce_window[
              base_dilation=(1,) padding=((3, 0),) window_dilation=(1,) window_dimensions=(4,) window_strides=(1,)
              jaxpr={ lambda ; a:f64[] b:f64[]. let
                  g:f64[] = max a b; h:f64[] = sub a b; i:bool[] = ne h h; j:f64[] = add a b; k:f64[] = abs h
                  l:f64[] = neg k; m:f64[] = exp l; n:f64[] = log1p m; o:f64[] = add g n; p:f64[] = select_n i o j in (p,) }
            ] x -inf:f64
            w:f64[4] = iota[dimension=0 dtype=f64 shape=(4,)]; z:f64[4] = mul w y; s:f64[] = reduce_sum[axes=(0,)] z in (s,) }",
    );
    let own = parse(
        "{ lambda ; x:f64[4]. let
            y:f64[4] = cumlogsumexp[axis=0 reverse=False] x
            w:f64[4] = iota[dimension=0 dtype=f64 shape=(4,)]; z:f64[4] = mul w y; s:f64[] = reduce_sum[axes=(0,)] z in (s,) }",
    );
    let x = Tensor::from_vec([4], vec![0.5, -1.0, 2.0, 2.0]);
    let slopes =
        |program: &Program| eval(&grad(program, None).unwrap(), std::slice::from_ref(&x)).unwrap()[0].to_vec::<f64>();
    let (found, expected) = (slopes(&combined), slopes(&own));
    assert!(found.iter().zip(&expected).all(|(f, e)| (f - e).abs() < 1e-12), "{found:?} and {expected:?}");
}
