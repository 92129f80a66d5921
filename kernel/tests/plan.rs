//! What fusion and the buffer plan must achieve, program by program; each program also computes what it means.

use rjax_ir::{Aval, Builder, DType, Program, Shape, Tensor, Unary, eval, with_element};
use rjax_kernel::kir::{Access, Module, Order, Space, Stmt};
use rjax_kernel::{Options, interpret, nests, origins, plan};

#[path = "plan/loops.rs"]
mod loops;

/// Positive values that all differ.
fn values(aval: &Aval, seed: usize) -> Tensor {
    let size = aval.size();
    with_element!(aval.dtype, T => {
        let values = (0..size).map(|i| {
            let x = ((i * 7 + seed * 5) % 11) as f64 / if aval.dtype.is_float() { 8.0 } else { 1.0 };
            <T as rjax_ir::Element>::from_c128(rjax_ir::Complex128::new(x, 0.0))
        });
        Tensor::from_vec(aval.shape.clone(), values.collect::<Vec<T>>())
    })
}

fn planned(text: &str, donate: &[bool]) -> Module {
    let program = Program::parse(text, "test").unwrap_or_else(|e| panic!("{e}"));
    let module = plan(&program, &Options { donate: donate.to_vec(), ..Options::default() }).unwrap();
    let inputs: Vec<Tensor> = program.in_avals().iter().enumerate().map(|(i, aval)| values(aval, i)).collect();
    let expected = eval(&program, &inputs).unwrap();
    for (found, expected) in interpret(&module, &inputs).iter().zip(&expected) {
        assert_eq!(found.aval(), expected.aval());
        for i in 0..found.shape().size() {
            let (f, e) = (found.get(i).to_f64(), expected.get(i).to_f64());
            assert!(
                (f - e).abs() <= 1e-5 * e.abs().max(1.0) || f == e || f.is_nan() && e.is_nan(),
                "{f} for {e}\n{module}"
            );
        }
    }
    module
}

fn copies(stmts: &[Stmt]) -> usize {
    let inner = |blocks: &[&[Stmt]]| blocks.iter().map(|block| copies(block)).sum::<usize>();
    stmts
        .iter()
        .map(|stmt| match stmt {
            Stmt::Copy { .. } => 1,
            Stmt::While { condition, body, .. } => inner(&[condition, body]),
            Stmt::For { body, .. } => inner(&[body]),
            Stmt::Switch { branches, .. } => branches.iter().map(|branch| copies(branch)).sum(),
            Stmt::Launch { .. }
            | Stmt::Print { .. }
            | Stmt::Gemm(_)
            | Stmt::Conv(_)
            | Stmt::Transpose(_)
            | Stmt::Sort(_)
            | Stmt::TopK(_)
            | Stmt::Library(_)
            | Stmt::Rows(_) => 0,
        })
        .sum()
}

#[test]
fn elementwise_chains_are_one_vector_loop() {
    let module = planned(
        "{ lambda ; a:f32[3,4] b:f32[3,4]. let c:f32[3,4] = sin a; d:f32[3,4] = mul c b; e:f32[3,4] = add d c in (e,) }",
        &[],
    );
    assert_eq!(module.launches(), 1);
    assert_eq!(module.kernels[0].range.extent, 12, "both axes are one loop");
    assert_eq!(module.arena_bytes, 0);
    assert!(module.to_string().contains("vector {"), "{module}");
}

#[test]
fn results_that_share_work_share_a_kernel() {
    let module = planned(
        "{ lambda ; p:f32[8] m:f32[8] v:f32[8] g:f32[8]. let
            h:f32[8] = broadcast_in_dim[broadcast_dimensions=() shape=(8,)] 0.5:f32
            a:f32[8] = mul m h
            m2:f32[8] = add a g
            gg:f32[8] = mul g g
            b:f32[8] = mul v h
            v2:f32[8] = add b gg
            s:f32[8] = sqrt v2
            u:f32[8] = div m2 s
            p2:f32[8] = sub p u
        in (p2, m2, v2) }",
        &[true, true, true, false],
    );
    assert_eq!(module.launches(), 1, "{module}");
    let places: Vec<Space> = module.results.iter().map(|b| module.buffers[b.index()].space).collect();
    assert_eq!(
        places,
        [Space::Input(0), Space::Input(1), Space::Input(2)],
        "donated memory is used in place\n{module}"
    );
}

#[test]
fn literals_are_never_kept_in_memory() {
    let list = |separator: &str, item: &dyn Fn(usize) -> String| (0..70).map(item).collect::<Vec<_>>().join(separator);
    let inputs = list(" ", &|i| format!("x{i}:f32[8]"));
    let products = list("; ", &|i| format!("y{i}:f32[8] = mul x{i} h"));
    let outputs = list(", ", &|i| format!("y{i}"));
    let half = "h:f32[8] = broadcast_in_dim[broadcast_dimensions=() shape=(8,)] 0.5:f32";
    let module = planned(&format!("{{ lambda ; {inputs}. let {half}; {products} in ({outputs}) }}"), &[]);
    assert_eq!(module.arena_bytes, 0, "{module}");
}

#[test]
fn a_row_reduction_and_what_follows_are_one_kernel() {
    let module = planned(
        "{ lambda ; a:f32[4,6]. let
            s:f32[4] = reduce_sum[axes=(1,)] a
            b:f32[4,6] = broadcast_in_dim[broadcast_dimensions=(0,) shape=(4,6)] s
            c:f32[4,6] = div a b
        in (c,) }",
        &[],
    );
    assert_eq!(module.launches(), 1, "{module}");
    assert_eq!(module.kernels[0].range.extent, 4);
}

#[test]
fn reshapes_and_transposes_of_arrays_need_no_kernel() {
    let module = planned(
        "{ lambda ; a:f32[4,6] b:f32[5,6]. let
            t:f32[6,4] = transpose[permutation=(1, 0)] a
            r:f32[6,2,2] = reshape[new_sizes=(6, 2, 2)] t
            d:f32[2,2,5] = dot_general[dimension_numbers=(([0], [1]), ([], [])) preferred_element_type=f32] r b
            e:f32[20] = reshape[new_sizes=(20,)] d
        in (e,) }",
        &[],
    );
    assert_eq!(module.kernels.len(), 0, "{module}");
    assert_eq!((module.launches(), copies(&module.body)), (1, 0), "{module}");
}

#[test]
fn updates_of_a_loop_carry_happen_in_place() {
    let module = planned(
        "{ lambda ; x:f32[64] ys:f32[5]. let
            z:f32[64] = mul x x
            i0:i32[] = mul 0:i32 0:i32
            c:f32[64] d:i32[] = scan[
                jaxpr={ lambda ; a:f32[64] i:i32[] y:f32[]. let
                    w:f32[1] = dynamic_slice[slice_sizes=(1,)] a i
                    yb:f32[1] = broadcast_in_dim[broadcast_dimensions=() shape=(1,)] y
                    u:f32[1] = add w yb
                    n:i32[] = add i 1:i32
                    b:f32[64] = dynamic_update_slice a u n
                in (b, n) }
                length=5 num_carry=2 num_consts=0 reverse=False
            ] z i0 ys
        in (c,) }",
        &[],
    );
    assert_eq!(copies(&module.body), 0, "{module}");
    assert!(module.arena_bytes <= 128, "{module}");
}

#[test]
fn carried_values_may_trade_places() {
    let module = planned(
        "{ lambda ; x:f32[300] y:f32[300]. let
            a:f32[300] b:f32[300] = scan[
                jaxpr={ lambda ; p:f32[300] q:f32[300]. let in (q, p) }
                length=3 num_carry=2 num_consts=0 reverse=False
            ] x y
        in (a, b) }",
        &[],
    );
    assert!(copies(&module.body) >= 4, "{module}");
}

#[test]
fn elementwise_carries_are_computed_in_place() {
    let module = planned(
        "{ lambda ; x:f32[30]. let
            a:f32[30] i:i32[] = while[
                cond_jaxpr={ lambda ; p:f32[30] i:i32[]. let c:bool[] = lt i 4:i32 in (c,) } cond_nconsts=0
                body_jaxpr={ lambda ; p:f32[30] i:i32[]. let q:f32[30] = mul p p; j:i32[] = add i 1:i32 in (q, j) } body_nconsts=0
            ] x 0:i32
        in (a,) }",
        &[],
    );
    assert_eq!(copies(&module.body), 1, "only the input is copied\n{module}");
}

#[test]
fn equal_layers_share_kernels() {
    let mut b = Builder::new();
    let x = b.input(Aval::new(DType::F32, [8, 8]));
    let mut y = x;
    for _ in 0..6 {
        y = b.dot_general(y, x, (&[1], &[0]), (&[], &[]), DType::F32);
        y = b.unary(Unary::Tanh, y);
    }
    let module = plan(&b.finish(vec![y]), &Options::default()).unwrap();
    assert_eq!((module.launches(), module.kernels.len()), (12, 1), "{module}");
}

#[test]
fn dead_temporaries_are_used_again() {
    let mut b = Builder::new();
    let x = b.input(Aval::new(DType::F32, [32, 32]));
    let y = (0..10).fold(x, |y, _| b.dot_general(y, x, (&[1], &[0]), (&[], &[]), DType::F32));
    let module = plan(&b.finish(vec![y]), &Options::default()).unwrap();
    assert_eq!(module.arena_bytes, 2 * 32 * 32 * 4, "{module}");
}

#[test]
fn long_sums_are_exact_to_a_few_units() {
    let mut b = Builder::new();
    let x = b.input(Aval::new(DType::F32, [100_000]));
    let total = b.reduce_sum(x, &[0]);
    let module = plan(&b.finish(vec![total]), &Options::default()).unwrap();
    let found = interpret(&module, &[Tensor::from_vec([100_000], vec![0.1f32; 100_000])])[0].get(0).to_f64();
    let exact = 0.1f32 as f64 * 1e5;
    assert!((found - exact).abs() < 4.0 * 1e4 * f32::EPSILON as f64, "{found} for {exact}");
}

#[test]
fn nothing_runs_for_empty_arrays() {
    let module =
        planned("{ lambda ; a:f32[0,4]. let b:f32[0,4] = sin a; c:f32[4] = reduce_sum[axes=(0,)] b in (b, c) }", &[]);
    assert_eq!(module.launches(), 1, "only the sum, which is zero\n{module}");
}

#[test]
fn modules_print_the_same_every_time() {
    let mut b = Builder::new();
    let x = b.input(Aval::new(DType::F64, Shape::from([3, 5])));
    let y = b.unary(Unary::Exp, x);
    let s = b.reduce_sum(y, &[1]);
    let program = b.finish(vec![s, y]);
    let options = Options::default();
    assert_eq!(plan(&program, &options).unwrap().to_string(), plan(&program, &options).unwrap().to_string());
    assert_eq!(nests(&program, &options).unwrap(), nests(&program, &options).unwrap());
    let vectors = |module: &Module| module.to_string().matches(Order::Vector.word()).count();
    assert!(vectors(&plan(&program, &options).unwrap()) > 0);
}

#[test]
fn loops_over_scalars_are_one_kernel() {
    let module = planned(
        "{ lambda ; x:f32[] n:i32[] xs:f32[7] t:f32[5]. let
            a:f32[] b:f32[] ys:f32[7] = scan[
                jaxpr={ lambda ; k:f32[] p:f32[] q:f32[] y:f32[]. let
                    r:f32[] = mul p k; s:f32[] = add r y; u:f32[] = sin q; v:f32[] = add s u in (u, s, v) }
                length=7 num_carry=2 num_consts=1 reverse=True
            ] x x x xs
            c:f32[] i:i32[] = while[
                cond_jaxpr={ lambda ; p:f32[] i:i32[]. let c:bool[] = lt i 4:i32 in (c,) } cond_nconsts=0
                body_jaxpr={ lambda ; t:f32[5] p:f32[] i:i32[]. let
                    w:f32[1] = dynamic_slice[slice_sizes=(1,)] t i
                    e:f32[] = reshape[new_sizes=()] w
                    q:f32[] = add p e; j:i32[] = add i 1:i32 in (q, j) } body_nconsts=1
            ] t b 0:i32
        in (a, c, ys) }",
        &[],
    );
    assert!(module.body.iter().all(|stmt| matches!(stmt, Stmt::Launch { .. })), "{module}");
    assert_eq!(copies(&module.body), 0, "{module}");
}

/// Shapes with and without whole blocks of rows and of results.
const COLUMNS: [(usize, usize); 10] =
    [(1, 4), (2, 5), (3, 64), (8, 65), (17, 70), (300, 9), (513, 66), (1030, 5), (64, 1030), (2, 5000)];

#[test]
fn column_reductions_walk_along_rows() {
    for (m, n) in COLUMNS {
        let module = planned(
            &format!(
                "{{ lambda ; a:f32[{m},{n}] b:f32[{n}] c:f32[{m}]. let
                    d:f32[{m},{n}] = broadcast_in_dim[broadcast_dimensions=(0,) shape=({m},{n})] c
                    e:f32[{m},{n}] = mul a d
                    s:f32[{n}] = reduce_sum[axes=(0,)] e
                    t:f32[{n}] = reduce_sum[axes=(0,)] a
                    u:f32[{n}] = add s b
                in (u, t) }}"
            ),
            &[false, true, false],
        );
        if m > 2 {
            assert_eq!(module.launches(), 1, "{module}");
            assert!(!module.to_string().contains("vector-reduce"), "{module}");
            assert!(module.kernels[0].params.iter().any(|p| p.access == Access::Local), "{module}");
        }
    }
}

#[test]
fn column_reductions_of_every_kind() {
    for (m, n) in COLUMNS {
        // A softmax down the columns: the second reduction needs the first.
        planned(
            &format!(
                "{{ lambda ; a:f32[{m},{n}]. let
                    b:f32[{n}] = reduce_max[axes=(0,)] a
                    c:f32[{m},{n}] = broadcast_in_dim[broadcast_dimensions=(1,) shape=({m},{n})] b
                    d:f32[{m},{n}] = sub a c
                    e:f32[{m},{n}] = exp d
                    f:f32[{n}] = reduce_sum[axes=(0,)] e
                    g:f32[{n}] = log f
                    h:f32[{n}] = add g b
                in (h,) }}"
            ),
            &[],
        );
        planned(
            &format!("{{ lambda ; a:i32[{m},{n}]. let b:i32[{n}] = argmax[axes=(0,) index_dtype=i32] a in (b,) }}"),
            &[],
        );
        planned(&format!("{{ lambda ; a:bf16[{m},{n}]. let b:bf16[{n}] = reduce_max[axes=(0,)] a in (b,) }}"), &[]);
        planned(&format!("{{ lambda ; a:f64[3,{m},{n}]. let b:f64[3,{n}] = reduce_sum[axes=(1,)] a in (b,) }}"), &[]);
        planned(&format!("{{ lambda ; a:f32[20,{m},{n}]. let b:f32[{n}] = reduce_sum[axes=(0,1)] a in (b,) }}"), &[]);
        planned(&format!("{{ lambda ; a:u32[{m},2,{n}]. let b:u32[2,{n}] = reduce_min[axes=(0,)] a in (b,) }}"), &[]);
    }
}

#[test]
fn reductions_over_the_same_row_share_a_loop() {
    let module = planned(
        "{ lambda ; a:f32[8,32] b:f32[8,32]. let
            c:f32[8,32] = mul a b
            s:f32[8] = reduce_sum[axes=(1,)] c
            t:f32[8] = reduce_sum[axes=(1,)] a
            u:f32[8] = sub s t
        in (u, s) }",
        &[],
    );
    assert_eq!(module.to_string().matches("vector-reduce").count(), 1, "{module}");
}

/// How many launches a pass over the schedule makes, loops counted once.
fn launches_in_loops(stmts: &[Stmt]) -> usize {
    stmts
        .iter()
        .map(|stmt| match stmt {
            Stmt::For { body, .. } => body.iter().filter(|stmt| matches!(stmt, Stmt::Launch { .. })).count(),
            Stmt::While { .. }
            | Stmt::Launch { .. }
            | Stmt::Copy { .. }
            | Stmt::Switch { .. }
            | Stmt::Print { .. }
            | Stmt::Gemm(_)
            | Stmt::Conv(_)
            | Stmt::Transpose(_)
            | Stmt::Sort(_)
            | Stmt::TopK(_)
            | Stmt::Library(_)
            | Stmt::Rows(_) => 0,
        })
        .sum()
}

#[test]
fn a_loop_carries_the_components_of_a_state_as_arrays_of_their_own() {
    for (lanes, components) in [(37, 2), (16, 3), (40, 8)] {
        let module = planned(
            &format!(
                "{{ lambda ; y:f32[{lanes},{components}]. let
                    _:f32[{lanes},{components}] s:f32[5,{lanes}] = scan[
                      jaxpr={{ lambda ; c:f32[{lanes},{components}]. let
                          p:f32[{lanes},1] = slice[limit_indices=({lanes}, 1) start_indices=(0, 0) strides=None] c
                          q:f32[{lanes}] = reshape[new_sizes=({lanes},)] p
                          r:f32[{lanes}] = sin q
                          t:f32[{lanes},1] = broadcast_in_dim[broadcast_dimensions=(0,) shape=({lanes}, 1)] r
                          u:f32[{lanes},{components}] = pad[padding_config=((0, 0, 0), (0, {rest}, 0))] t 0.5:f32
                          v:f32[{lanes},{components}] = add c u
                        in (v, q) }}
                      length=5 num_carry=1 num_consts=0 reverse=False
                    ] y
                in (s,) }}",
                rest = components - 1
            ),
            &[],
        );
        assert_eq!(launches_in_loops(&module.body), 1, "one kernel computes all components\n{module}");
    }
}

#[test]
fn a_loop_whose_body_knows_no_components_carries_the_whole_array() {
    let module = planned(
        "{ lambda ; y:f32[16,3]. let
            z:f32[16,3] = scan[
              jaxpr={ lambda ; c:f32[16,3]. let
                  s:f32[3] = reduce_sum[axes=(0,)] c
                  t:f32[16,3] = broadcast_in_dim[broadcast_dimensions=(1,) shape=(16, 3)] s
                  u:f32[16,3] = mul t 0.0625:f32
                in (u,) }
              length=4 num_carry=1 num_consts=0 reverse=False
            ] y
        in (z,) }"
            .replace("mul t 0.0625:f32", "sub c t")
            .as_str(),
        &[],
    );
    assert!(module.buffers.iter().any(|b| b.len == 48), "{module}");
}

#[test]
fn a_loop_over_small_arrays_is_one_kernel() {
    let module = planned(
        "{ lambda ; y:f32[2] a:f32[3,3] n:i32[]. let
            _:i32[] z:f32[3,2] i:f32[2] = while[
              cond_nconsts=1
              cond_jaxpr={ lambda ; n:i32[] k:i32[] z:f32[3,2] w:f32[2]. let b:bool[] = lt k n in (b,) }
              body_nconsts=1
              body_jaxpr={ lambda ; a:f32[3,3] k:i32[] z:f32[3,2] w:f32[2]. let
                  r:f32[1,3] = dynamic_slice[slice_sizes=(1, 3)] a k 0:i32
                  s:f32[3] = reshape[new_sizes=(3,)] r
                  d:f32[2] = dot_general[
                    dimension_numbers=(([0], [0]), ([], []))
                    precision=None
                    preferred_element_type=f32
                  ] s z
                  e:f32[2] = tanh d
                  f:f32[2] = add e w
                  g:f32[1,2] = broadcast_in_dim[broadcast_dimensions=(1,) shape=(1, 2)] f
                  z2:f32[3,2] = dynamic_update_slice z g k 0:i32
                  m:f32[] = reduce_max[axes=(0,)] f
                  h:f32[2] = broadcast_in_dim[broadcast_dimensions=() shape=(2,)] m
                  p:f32[1] = slice[limit_indices=(1,) start_indices=(0,) strides=None] h
                  q:f32[1] = slice[limit_indices=(2,) start_indices=(1,) strides=None] f
                  t:f32[2] = concatenate[dimension=0] p q
                  k2:i32[] = add k 1:i32
                in (k2, z2, t) }
            ] n a 0:i32 y3 y
        in (z, i) }"
            .replace(
                "let
            _:i32[] z",
                "let
            y3:f32[3,2] = broadcast_in_dim[broadcast_dimensions=(1,) shape=(3, 2)] y
            _:i32[] z",
            )
            .as_str(),
        &[],
    );
    assert!(!module.body.iter().any(|stmt| matches!(stmt, Stmt::While { .. })), "{module}");
}

#[test]
fn small_windows_leave_the_channels_a_vector_loop() {
    let module = planned(
        "{ lambda ; a:f32[2,9,9,16] g:f32[2,5,5,16]. let
            b:f32[2,5,5,16] = reduce_window_sum[
              base_dilation=(1, 1, 1, 1)
              padding=((0, 0), (1, 1), (1, 1), (0, 0))
              window_dilation=(1, 1, 1, 1)
              window_dimensions=(1, 3, 3, 1)
              window_strides=(1, 2, 2, 1)
            ] a
            c:f32[2,9,9,16] = select_and_scatter_add[
              padding=((0, 0), (1, 1), (1, 1), (0, 0))
              select_prim=ge
              window_dimensions=(1, 3, 3, 1)
              window_strides=(1, 2, 2, 1)
            ] g a
        in (b, c) }",
        &[],
    );
    for kernel in &module.kernels {
        let text = kernel.to_string();
        assert!(text.contains("for ") && text.contains(".. 16 vector {") && !text.contains(" if "), "{module}");
    }
}

const SOFTMAX: &str = "{ lambda ; a:f32[6,40]. let
        m:f32[6] = reduce_max[axes=(1,)] a
        n:f32[6,40] = broadcast_in_dim[broadcast_dimensions=(0,) shape=(6,40)] m
        d:f32[6,40] = sub a n
        e:f32[6,40] = exp d
        s:f32[6] = reduce_sum[axes=(1,)] e
        t:f32[6,40] = broadcast_in_dim[broadcast_dimensions=(0,) shape=(6,40)] s
        y:f32[6,40] = div e t
    in";

#[test]
fn kernels_over_the_same_rows_are_one() {
    let module = planned(&format!("{SOFTMAX} (y,) }}"), &[]);
    assert_eq!(module.launches(), 1, "{module}");
    assert_eq!(module.arena_bytes, 0, "the exponentials of a row are the kernel's own\n{module}");
    let locals: Vec<usize> =
        module.kernels[0].params.iter().filter(|p| p.access == Access::Local).map(|p| p.len).collect();
    assert_eq!(locals, [40], "{module}");
}

#[test]
fn what_others_need_of_joined_rows_stays_in_memory() {
    let module = planned(&format!("{SOFTMAX} (y, e) }}"), &[]);
    assert_eq!(module.launches(), 1, "{module}");
    assert!(module.kernels[0].params.iter().all(|p| p.access != Access::Local), "{module}");
    // The exponentials also go into a matrix product, after the kernel.
    let text = SOFTMAX.replace(
        "    in",
        "        p:f32[6,6] = dot_general[dimension_numbers=(([1], [1]), ([], [])) preferred_element_type=f32] e y
    in",
    );
    let module = planned(&format!("{text} (p,) }}"), &[]);
    assert_eq!(module.launches(), 2, "{module}");
}

#[test]
fn rows_of_other_arrays_are_not_joined() {
    // Each row of the result needs the sums of all rows.
    let module = planned(
        "{ lambda ; a:f32[40,40]. let
            s:f32[40] = reduce_sum[axes=(1,)] a
            b:f32[40,40] = broadcast_in_dim[broadcast_dimensions=(1,) shape=(40,40)] s
            c:f32[40,40] = div a b
            t:f32[40] = reduce_max[axes=(1,)] c
        in (t,) }",
        &[],
    );
    assert_eq!(module.launches(), 2, "{module}");
}

#[test]
fn elements_and_rows_are_joined_where_rows_are_long() {
    // The sums are of rows, the products are of elements, and both read the same rows.
    let program = |columns: usize| {
        format!(
            "{{ lambda ; a:f32[6,{columns}] b:f32[6,{columns}]. let
                s:f32[6] = reduce_sum[axes=(1,)] a
                c:f32[6,{columns}] = mul a b
            in (s, c) }}"
        )
    };
    assert_eq!(planned(&program(300), &[]).launches(), 1);
    assert_eq!(planned(&program(5), &[]).launches(), 2);
}

#[test]
fn a_few_sums_for_each_of_many_pairs_are_a_reduction() {
    let module = planned(
        "{ lambda ; a:f32[70,20] b:f32[70,20]. let
            c:f32[70,20] = mul a b
            d:f32[70] = dot_general[dimension_numbers=(([1], [1]), ([0], [0])) preferred_element_type=f32] c b
        in (d,) }",
        &[],
    );
    assert_eq!((module.launches(), module.kernels.len()), (1, 1), "{module}");
}

#[test]
fn what_a_few_sums_and_others_need_is_computed_in_both_places() {
    let module = planned(
        "{ lambda ; a:f32[70,3] m:f32[70]. let
            b:f32[70,70,3] = broadcast_in_dim[broadcast_dimensions=(0,2) shape=(70,70,3)] a
            c:f32[70,70,3] = broadcast_in_dim[broadcast_dimensions=(1,2) shape=(70,70,3)] a
            d:f32[70,70,3] = sub b c
            e:f32[70,70,3] = mul d d
            f:f32[70,70] = reduce_sum[axes=(2,)] e
            g:f32[70,70] = broadcast_in_dim[broadcast_dimensions=(1,) shape=(70,70)] m
            h:f32[70,70] = div g f
            i:f32[70,3] = dot_general[dimension_numbers=(([1], [1]), ([0], [0])) preferred_element_type=f32] d h
            j:f32[3,70] = transpose[permutation=(1,0)] i
        in (j,) }",
        &[],
    );
    let largest = module.buffers.iter().map(|buffer| buffer.len).max();
    assert_eq!(largest, Some(70 * 70), "the differences are not in memory\n{module}");
}

#[test]
fn triangles_of_small_matrices_are_one_loop_each() {
    let module = planned(
        "{ lambda ; a:f32[5,8,8]. let
            i:i32[8,8] = iota[dimension=0 dtype=i32 shape=(8, 8)]
            j:i32[8,8] = iota[dimension=1 dtype=i32 shape=(8, 8)]
            p:bool[8,8] = ge i j
            q:bool[5,8,8] = broadcast_in_dim[broadcast_dimensions=(1, 2) shape=(5, 8, 8)] p
            b:f32[5,8,8] = sin a
            z:f32[5,8,8] = broadcast_in_dim[broadcast_dimensions=() shape=(5, 8, 8)] 0.0:f32
            c:f32[5,8,8] = select_n q z b
        in (c,) }",
        &[],
    );
    assert!(module.to_string().contains("in 0 .. 64 vector {"), "{module}");
}

#[test]
fn very_long_sums_read_several_places_at_once() {
    let sum = |len: usize| {
        planned(&format!("{{ lambda ; a:f32[3,{len}]. let b:f32[3] = reduce_sum[axes=(1,)] a in (b,) }}"), &[])
            .to_string()
    };
    let places = [" + 4096]", " + 8192]", " + 12288]"];
    assert!(places.iter().all(|place| sum(16384).contains(place)), "{}", sum(16384));
    assert_eq!(sum(16383).matches("load").count(), 1, "{}", sum(16383));
}

#[test]
fn what_is_changed_on_the_way_to_a_result_waits_in_its_memory() {
    let step = "s:f32[16,32] = broadcast_in_dim[broadcast_dimensions=() shape=(16, 32)] 0.5:f32";
    let dot = "dot_general[dimension_numbers=(([0], [0]), ([], [])) preferred_element_type=f32]";
    let one = planned(
        &format!(
            "{{ lambda ; w:f32[16,32] x:f32[8,16] y:f32[8,32]. let {step}
                g:f32[16,32] = {dot} x y; h:f32[16,32] = mul g s; r:f32[16,32] = sub w h in (r,) }}"
        ),
        &[],
    );
    assert_eq!((one.launches(), one.arena_bytes), (2, 0), "{one}");
    // Of two products only one can.
    let two = planned(
        &format!(
            "{{ lambda ; w:f32[16,32] x:f32[8,16] y:f32[8,32]. let {step}
                g:f32[16,32] = {dot} x y; k:f32[8,16] = sin x; h:f32[16,32] = {dot} k y
                a:f32[16,32] = mul g h; b:f32[16,32] = mul a s; r:f32[16,32] = sub w b in (r,) }}"
        ),
        &[],
    );
    assert!(two.arena_bytes < 3 * 16 * 32 * 4, "{two}");
    // A donated input that the same kernel reads is not written over before.
    planned(
        &format!(
            "{{ lambda ; w:f32[16,32] x:f32[8,16] y:f32[8,32]. let {step}
                g:f32[16,32] = {dot} x y; h:f32[16,32] = mul g s; r:f32[16,32] = sub w h in (r,) }}"
        ),
        &[true, false, false],
    );
    // Nor what a loop carries.
    planned(
        &format!(
            "{{ lambda ; w:f32[16,32] x:f32[8,16] y:f32[8,32]. let
                r:f32[16,32] = scan[
                  jaxpr={{ lambda ; p:f32[8,16] q:f32[8,32] v:f32[16,32]. let {step}
                    g:f32[16,32] = {dot} p q; h:f32[16,32] = mul g v; k:f32[16,32] = sub h s in (k,) }}
                  length=3 num_carry=1 num_consts=2
                ] x y w in (r,) }}"
        ),
        &[],
    );
}

#[test]
fn every_statement_has_its_equations() {
    let text = "{ lambda ; a:f32[16,16] b:f32[16,16]. let
        c:f32[16,16] d:f32[4] = scan[
          jaxpr={ lambda ; e:f32[16,16] f:f32[16,16]. let
              g:f32[16,16] = dot_general[dimension_numbers=(([1], [0]), ([], [])) preferred_element_type=f32] e f
              h:f32[16,16] = tanh g
              i:f32[] = reduce_sum[axes=(0, 1)] h in (h, i) }
          length=4 num_carry=1 num_consts=1
        ] a b
        j:f32[16,16] = sin c
        k:f32[16,16] = mul j j in (k, d) }";
    let program = Program::parse(text, "layers").unwrap();
    let origins = origins(&program, &Options::default()).unwrap();
    let equations: Vec<String> = origins.iter().map(|origin| origin.equations.join(", ")).collect();
    let in_loop = ["scan f32[16,16] f32[4]", "dot_general f32[16,16]", "tanh f32[16,16]", "reduce_sum f32[]"];
    assert_eq!(
        (&equations[..4], &equations[4..]),
        (&in_loop.map(String::from)[..], &["sin f32[16,16], mul f32[16,16]".to_string()][..])
    );
    assert!(origins[1].places[0].starts_with("layers:4:"), "{:?}", origins[1].places);
    let module = plan(&program, &Options::default()).unwrap();
    assert_eq!(origins.len(), module.launches() + 1, "all but copies, and the loop");
}

#[test]
fn rows_are_added_up_where_they_are_computed() {
    let module = planned(
        "{ lambda ; a:f32[64,1024]. let
            m:f32[64] = reduce_max[axes=(1,)] a
            n:f32[64,1024] = broadcast_in_dim[broadcast_dimensions=(0,) shape=(64, 1024)] m
            s:f32[64,1024] = sub a n
            e:f32[64,1024] = exp s
            t:f32[64] = reduce_sum[axes=(1,)] e
            u:f32[64,1024] = broadcast_in_dim[broadcast_dimensions=(0,) shape=(64, 1024)] t
            p:f32[64,1024] = div e u
        in (p,) }",
        &[],
    )
    .to_string();
    let after_exp = module.split_once("exp").expect("one kernel has it").1;
    let rest_of_loop = after_exp.split_once('}').expect("the loop ends").0;
    assert!(rest_of_loop.contains("store") && rest_of_loop.contains("add"), "{module}");
    assert_eq!(module.matches("vector-reduce").count(), 2, "{module}");
}

#[test]
fn products_of_bytes_and_of_complex_numbers_are_products_of_routines() {
    let product = |dtype: &str, to: &str, k: usize| {
        format!(
            "{{ lambda ; a:{dtype}[3,{k}] b:{dtype}[{k},2]. let
                c:{to}[3,2] = dot_general[dimension_numbers=(([1], [0]), ([], [])) preferred_element_type={to}] a b
            in (c,) }}"
        )
    };
    let routines = |module: &Module| module.to_string().matches("gemm").count();
    for (dtype, to, k, pieces) in [
        ("i8", "i32", 1500, 2),
        ("u8", "i32", 1500, 6),
        ("u8", "u32", 2000, 8),
        ("i8", "i8", 1500, 2),
        ("c64", "c64", 1500, 4),
    ] {
        assert_eq!(routines(&planned(&product(dtype, to, k), &[])), pieces, "{dtype} to {to}");
    }
    assert_eq!(routines(&planned(&product("i8", "i32", 15), &[])), 0, "small ones are loops");

    // The greatest products of all, whose sum f32 does not hold.
    for (least, greatest, dtype) in [(-128.0, 127.0, "i8"), (0.0, 255.0, "u8")] {
        let program = Program::parse(&product(dtype, "i32", 2100), "test").unwrap();
        let module = plan(&program, &Options::default()).unwrap();
        for (x, y) in [(least, least), (least, greatest), (greatest, greatest)] {
            let mut inputs = [x, y].into_iter().zip(program.in_avals());
            let inputs = [(); 2].map(|()| {
                let (value, aval) = inputs.next().expect("two of each");
                let dtype = aval.dtype;
                with_element!(dtype, T => {
                    let value = <T as rjax_ir::Element>::from_c128(rjax_ir::Complex128::new(value, 0.0));
                    Tensor::from_vec(aval.shape.clone(), vec![value; aval.size()])
                })
            });
            let (found, expected) = (interpret(&module, &inputs), eval(&program, &inputs).unwrap());
            assert_eq!(found[0].to_bytes(), expected[0].to_bytes(), "{dtype} {x} {y}");
        }
    }
}
