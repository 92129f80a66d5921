use std::collections::BTreeSet;

use super::{diff, dot, names};
use crate::{Aval, Binary, Builder, Compare, DType, Narrow, Op, Program, Scalar, Tensor, Unary};

/// One canonical program for each op that is not a row of the elementwise tables.
const STRUCTURED: &[&str] = &[
    "{ lambda ; a:bool[2] b:f32[2] c:f32[2]. let d:f32[2] = select_n a b c in (d,) }",
    "{ lambda ; a:f32[2]. let b:f32[2] = clamp 0.0:f32 a 1.0:f32 in (b,) }",
    "{ lambda ; a:f32[2]. let b:f32[2] = regularized_incomplete_beta a a a in (b,) }",
    "{ lambda ; a:f32[2]. let b:i32[2] = convert_element_type[new_dtype=i32] a in (b,) }",
    "{ lambda ; a:f32[2]. let b:u32[2] = bitcast_convert_type[new_dtype=u32] a in (b,) }",
    "{ lambda ; a:f32[2]. let b:f32[2] = reduce_precision[exponent_bits=5 mantissa_bits=10] a in (b,) }",
    "{ lambda ; a:f32[2]. let b:f32[2] = integer_pow[y=-3] a in (b,) }",
    "{ lambda ; a:f32[2]. let b:f32[2] = stop_gradient a in (b,) }",
    "{ lambda ; a:f32[2]. let b:f32[2] = name[name=hidden] a in (b,) }",
    "{ lambda ; a:f32[2] b:i32[]. let c:f32[2] d:i32[] = optimization_barrier a b in (c, d) }",
    "{ lambda ; a:f32[3]. let
    b:f32[3,4] = broadcast_in_dim[broadcast_dimensions=(0,) shape=(3, 4)] a
  in (b,) }",
    "{ lambda ; a:f32[6]. let b:f32[2,3] = reshape[new_sizes=(2, 3)] a in (b,) }",
    "{ lambda ; a:f32[2,3]. let b:f32[3,2] = transpose[permutation=(1, 0)] a in (b,) }",
    "{ lambda ; a:f32[5]. let
    b:f32[2] = slice[limit_indices=(4,) start_indices=(1,) strides=(2,)] a
  in (b,) }",
    "{ lambda ; a:f32[5]. let
    b:f32[3] = slice[limit_indices=(4,) start_indices=(1,) strides=None] a
  in (b,) }",
    "{ lambda ; a:f32[2]. let b:f32[4] = pad[padding_config=((-1, 2, 1),)] a 0.0:f32 in (b,) }",
    "{ lambda ; a:f32[2] b:f32[3]. let c:f32[5] = concatenate[dimension=0] a b in (c,) }",
    "{ lambda ; a:f32[2]. let b:f32[2] = rev[dimensions=(0,)] a in (b,) }",
    "{ lambda ; . let a:i32[4] = iota[dimension=0 dtype=i32 shape=(4,)] in (a,) }",
    "{ lambda ; a:f32[4] b:i32[]. let c:f32[2] = dynamic_slice[slice_sizes=(2,)] a b in (c,) }",
    "{ lambda ; a:f32[4] b:f32[2] c:i32[]. let d:f32[4] = dynamic_update_slice a b c in (d,) }",
    "{ lambda ; a:f32[4] b:i32[2,1]. let
    c:f32[2] = gather[
      dimension_numbers=GatherDimensionNumbers(
        offset_dims=(),
        collapsed_slice_dims=(0,),
        start_index_map=(0,),
        operand_batching_dims=(),
        start_indices_batching_dims=()
      )
      fill_value=0.5:f32
      indices_are_sorted=False
      mode=fill_or_drop
      slice_sizes=(1,)
      unique_indices=True
    ] a b
  in (c,) }",
    "{ lambda ; a:f32[4]. let b:f32[] = reduce_sum[axes=(0,)] a in (b,) }",
    "{ lambda ; a:f32[4]. let b:f32[] = reduce_prod[axes=(0,)] a in (b,) }",
    "{ lambda ; a:f32[4]. let b:f32[] = reduce_max[axes=(0,)] a in (b,) }",
    "{ lambda ; a:f32[4]. let b:f32[] = reduce_min[axes=(0,)] a in (b,) }",
    "{ lambda ; a:bool[4]. let b:bool[] = reduce_and[axes=(0,)] a in (b,) }",
    "{ lambda ; a:bool[4]. let b:bool[] = reduce_or[axes=(0,)] a in (b,) }",
    "{ lambda ; a:i32[4]. let b:i32[] = reduce_xor[axes=(0,)] a in (b,) }",
    "{ lambda ; a:f32[4]. let
    b:f32[] = reduce[
      dimensions=(0,)
      jaxpr={ lambda ; c:f32[] d:f32[]. let e:f32[] = add c d in (e,) }
    ] a 0.0:f32
  in (b,) }",
    "{ lambda ; a:f32[4]. let b:i32[] = argmax[axes=(0,) index_dtype=i32] a in (b,) }",
    "{ lambda ; a:f32[4]. let b:i64[] = argmin[axes=(0,) index_dtype=i64] a in (b,) }",
    "{ lambda ; a:f32[4]. let b:f32[4] = cumsum[axis=0 reverse=False] a in (b,) }",
    "{ lambda ; a:f32[4]. let b:f32[4] = cumprod[axis=0 reverse=True] a in (b,) }",
    "{ lambda ; a:f32[4]. let b:f32[4] = cummax[axis=0 reverse=False] a in (b,) }",
    "{ lambda ; a:f32[4]. let b:f32[4] = cummin[axis=0 reverse=False] a in (b,) }",
    "{ lambda ; a:f32[4]. let b:f32[4] = cumlogsumexp[axis=0 reverse=False] a in (b,) }",
    "{ lambda ; a:bf16[2,3] b:bf16[3]. let
    c:f32[2] = dot_general[
      dimension_numbers=(([1], [0]), ([], []))
      precision=HIGHEST
      preferred_element_type=f32
    ] a b
  in (c,) }",
    "{ lambda ; a:f32[1,1,4] b:f32[1,1,2]. let
    c:f32[1,1,5] = conv_general_dilated[
      batch_group_count=1
      dimension_numbers=ConvDimensionNumbers(
        lhs_spec=(0, 1, 2),
        rhs_spec=(0, 1, 2),
        out_spec=(0, 1, 2)
      )
      feature_group_count=1
      lhs_dilation=(1,)
      padding=((1, 1),)
      preferred_element_type=f32
      rhs_dilation=(1,)
      window_strides=(1,)
    ] a b
  in (c,) }",
    "{ lambda ; a:f32[4]. let
    b:f32[3] = reduce_window[
      base_dilation=(1,)
      jaxpr={ lambda ; c:f32[] d:f32[]. let e:f32[] = mul c d in (e,) }
      padding=((0, 0),)
      window_dilation=(1,)
      window_dimensions=(2,)
      window_strides=(1,)
    ] a 1.0:f32
  in (b,) }",
    "{ lambda ; a:f32[2] b:f32[4]. let
    c:f32[4] = select_and_scatter_add[
      padding=((0, 0),)
      select_prim=ge
      window_dimensions=(2,)
      window_strides=(2,)
    ] a b
  in (c,) }",
    "{ lambda ; a:f32[4] b:f32[4]. let
    c:f32[2] = select_and_gather_add[
      base_dilation=(1,)
      padding=((0, 0),)
      select_prim=le
      window_dilation=(1,)
      window_dimensions=(2,)
      window_strides=(2,)
    ] a b
  in (c,) }",
    "{ lambda ; a:f32[4] b:i32[4]. let
    c:f32[4] _:i32[4] = sort[dimension=0 is_stable=True num_keys=1] a b
  in (c,) }",
    "{ lambda ; a:f32[4]. let b:f32[2] c:i32[2] = top_k[k=2] a in (b, c) }",
    "{ lambda ; a:f32[2,2]. let b:f32[2,2] = cholesky a in (b,) }",
    "{ lambda ; a:f64[2,2] b:f64[2,1]. let
    c:f64[2,1] = triangular_solve[
      conjugate_a=False
      left_side=True
      lower=True
      transpose_a=False
      unit_diagonal=False
    ] a b
  in (c,) }",
    "{ lambda ; a:f32[2,2]. let b:f32[2,2] c:i32[2] d:i32[2] = lu a in (b, c, d) }",
    "{ lambda ; a:f32[2,1]. let b:f32[2,1] c:f32[1,1] = qr[full_matrices=False] a in (b, c) }",
    "{ lambda ; a:f32[2,2]. let b:f32[2,2] c:f32[2] = geqrf a in (b, c) }",
    "{ lambda ; a:f32[2,2] b:f32[2]. let c:f32[2,2] = householder_product a b in (c,) }",
    "{ lambda ; a:f32[2,2]. let b:f32[2,2] c:f32[2] = eigh[lower=True] a in (b, c) }",
    "{ lambda ; a:f32[2,2]. let b:f32[2] = svd[compute_uv=False full_matrices=False] a in (b,) }",
    "{ lambda ; a:f32[2,2]. let
    b:c64[2] = eig[compute_left_eigenvectors=False compute_right_eigenvectors=False] a
  in (b,) }",
    "{ lambda ; a:f32[2,2]. let b:f32[2,2] c:f32[2,2] = schur[compute_schur_vectors=True] a in (b, c) }",
    "{ lambda ; a:f32[2,2]. let b:f32[2,2] c:f32[1] = hessenberg a in (b, c) }",
    "{ lambda ; a:f32[2] b:f32[2] c:f32[2] d:f32[2,1]. let
    e:f32[2,1] = tridiagonal_solve a b c d
  in (e,) }",
    "{ lambda ; a:c64[4]. let b:c64[4] = fft[fft_lengths=(4,) fft_type=FFT] a in (b,) }",
    "{ lambda ; a:u32[]. let b:u32[] c:u32[] = threefry2x32 a a a a in (b, c) }",
    "{ lambda ; a:i32[] b:f32[]. let
    c:f32[] = cond[
      branches=(
        { lambda ; d:f32[]. let e:f32[] = sin d in (e,) },
        { lambda ; f:f32[]. let in (f,) }
      )
    ] a b
  in (c,) }",
    "{ lambda ; a:f32[]. let
    b:f32[] = while[
      body_jaxpr={ lambda ; c:f32[]. let d:f32[] = mul c 2.0:f32 in (d,) }
      body_nconsts=0
      cond_jaxpr={ lambda ; e:f32[]. let f:bool[] = lt e 100.0:f32 in (f,) }
      cond_nconsts=0
    ] a
  in (b,) }",
    "{ lambda ; a:f32[] b:f32[5]. let
    c:f32[] d:f32[5] = scan[
      jaxpr={ lambda ; e:f32[] f:f32[]. let g:f32[] = add e f in (g, e) }
      length=5
      num_carry=1
      num_consts=0
      reverse=False
    ] a b
  in (c, d) }",
    "{ lambda ; a:f32[]. let
    b:f32[] = jit[name=step jaxpr={ lambda ; c:f32[]. let d:f32[] = sin c in (d,) }] a
  in (b,) }",
    "{ lambda ; a:f32[]. let
    b:f32[] = custom_jvp_call[
      call_jaxpr={ lambda ; c:f32[]. let d:f32[] = sin c in (d,) }
      jvp_jaxpr={ lambda ; e:f32[] f:f32[]. let
          g:f32[] = sin e
          h:f32[] = cos e
          i:f32[] = mul h f
        in (g, i) }
      num_consts=0
    ] a
  in (b,) }",
    "{ lambda ; a:f32[]. let
    b:f32[] = custom_vjp_call[
      bwd_jaxpr={ lambda ; c:f32[] d:f32[]. let e:f32[] = mul c d in (e,) }
      call_jaxpr={ lambda ; f:f32[]. let g:f32[] = sin f in (g,) }
      fwd_jaxpr={ lambda ; h:f32[]. let i:f32[] = sin h; j:f32[] = cos h in (i, j) }
      num_consts=0
    ] a
  in (b,) }",
    "{ lambda ; a:f32[] b:f32[]. let
    c:f32[] = custom_root[
      f_jaxpr={ lambda ; d:f32[] e:f32[]. let f:f32[] = mul e e; g:f32[] = sub f d in (g,) }
      num_consts=1
      solve_jaxpr={ lambda ; h:f32[] i:f32[]. let j:f32[] = sqrt h in (j,) }
      tangent_solve_jaxpr={ lambda ; k:f32[] l:f32[] m:f32[]. let
          n:f32[] = mul l 2.0:f32
          o:f32[] = div m n
        in (o,) }
    ] a b
  in (c,) }",
    "{ lambda ; a:f32[] b:f32[]. let
    c:f32[] = custom_linear_solve[
      matvec_jaxpr={ lambda ; d:f32[] e:f32[]. let f:f32[] = mul d e in (f,) }
      num_consts=1
      solve_jaxpr={ lambda ; g:f32[] h:f32[]. let i:f32[] = div h g in (i,) }
      transpose_solve_jaxpr={ lambda ; j:f32[] k:f32[]. let l:f32[] = div k j in (l,) }
    ] a b
  in (c,) }",
    "{ lambda ; a:f32[] b:f32[]. let
    c:f32[] = custom_lin[
      bwd_jaxpr={ lambda ; d:f32[] e:f32[]. let f:f32[] = mul d e in (f,) }
      num_res=1
      out_avals=(f32[],)
    ] a b
  in (c,) }",
    "{ lambda ; a:f32[]. let
    b:f32[] = checkpoint[
      differentiated=False
      jaxpr={ lambda ; c:f32[]. let d:f32[] = sin c in (d,) }
      policy=save_only_these_names(names=(hidden, \"two words\"))
    ] a
  in (b,) }",
    "{ lambda ; a:f32[]. let debug_print[fmt=\"a = {}\\n\"] a in (a,) }",
    "{ lambda ; a:f32[]. let b:f32[] = psum[axes=(i,)] a in (b,) }",
    "{ lambda ; a:f32[]. let b:f32[] = pmax[axes=(i, j)] a in (b,) }",
    "{ lambda ; a:f32[]. let b:f32[] = pmin[axes=(i,)] a in (b,) }",
    "{ lambda ; . let a:i32[] = axis_index[axis_name=i] in (a,) }",
];

fn parse(text: &str) -> Program {
    Program::parse(text, "test").unwrap_or_else(|e| panic!("{e}\n{text}"))
}

fn assert_canonical(text: &str) {
    assert_eq!(parse(text).to_string(), text);
}

/// The samples above, and those that differ from them in a name only.
fn structured() -> Vec<String> {
    let mut samples: Vec<String> = STRUCTURED.iter().map(|text| text.to_string()).collect();
    for name in ["scatter", "scatter-add", "scatter-mul", "scatter-min", "scatter-max"] {
        samples.push(format!(
            "{{ lambda ; a:f32[4] b:i32[2,1] c:f32[2]. let
    d:f32[4] = {name}[
      dimension_numbers=ScatterDimensionNumbers(
        update_window_dims=(),
        inserted_window_dims=(0,),
        scatter_dims_to_operand_dims=(0,),
        operand_batching_dims=(),
        scatter_indices_batching_dims=()
      )
      indices_are_sorted=False
      mode=clip
      unique_indices=False
    ] a b c
  in (d,) }}"
        ));
    }
    for (name, dtype) in [
        ("sum", "f32"),
        ("prod", "f32"),
        ("max", "f32"),
        ("min", "f32"),
        ("and", "bool"),
        ("or", "bool"),
        ("xor", "i32"),
    ] {
        samples.push(format!(
            "{{ lambda ; a:{dtype}[4]. let
    b:{dtype}[2] = reduce_window_{name}[
      base_dilation=(1,)
      padding=((0, 0),)
      window_dilation=(1,)
      window_dimensions=(2,)
      window_strides=(2,)
    ] a
  in (b,) }}"
        ));
    }
    samples
}

#[test]
fn every_op_prints_and_parses() {
    let mut seen = BTreeSet::new();
    for text in structured() {
        assert_canonical(&text);
        let program = parse(&text);
        assert_eq!(program.renumbered(), program);
        seen.extend(program.eqns.iter().map(|eqn| eqn.op.name()));
    }
    let elementwise = Unary::ALL.iter().map(|&op| (Op::Unary(op), op.accepts(), 1));
    let elementwise = elementwise.chain(Binary::ALL.iter().map(|&op| (Op::Binary(op), op.accepts(), 2)));
    let elementwise = elementwise.chain(Compare::ALL.iter().map(|&op| (Op::Compare(op), op.accepts(), 2)));
    for (op, accepts, arity) in elementwise {
        for dtype in accepts.iter() {
            let mut builder = Builder::new();
            let operands: Vec<_> = (0..arity).map(|_| builder.input(Aval::new(dtype, [2]))).collect();
            let result = builder.emit1(op.clone(), &operands);
            let program = builder.finish(vec![result]);
            assert_eq!(parse(&program.to_string()), program);
            seen.insert(op.name());
        }
    }
    let missing: Vec<_> = names().into_iter().filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "ops without a sample: {missing:?}");
    assert_eq!(names().len(), seen.len(), "`names` leaves out an op that has a sample");
}

#[test]
fn text_is_forgiving_where_nothing_is_lost() {
    let text = "
        # A comment before the program.
        { lambda ; x:f32[3]  # the input
          y:f32[3]. let
            long_name:f32[3] = mul y x;
            _:f32[3] = sin x
            total:f32[] = reduce_sum[ axes = [0], ] long_name   # lists for tuples, commas after parameters
            two:f32[] = mul total 2:f32[] in (total, two) }
    ";
    assert_eq!(
        parse(text).to_string(),
        "{ lambda ; a:f32[3] b:f32[3]. let
    c:f32[3] = mul b a
    _:f32[3] = sin a
    d:f32[] = reduce_sum[axes=(0,)] c
    e:f32[] = mul d 2.0:f32
  in (d, e) }"
    );
}

#[test]
fn literals_round_trip_by_bits() {
    let mut state = 1u64;
    for dtype in DType::all() {
        let mask = if dtype.real().bits() == 64 { u64::MAX } else { (1 << dtype.real().bits()) - 1 };
        let special =
            [0.0, -0.0, 1.0, -1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN, 1e-7, 3.4e38, 5e-324];
        let mut values: Vec<Scalar> = special.map(|value| Scalar::from_f64(dtype, value)).to_vec();
        for _ in 0..500 {
            let mut next = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                if dtype == DType::Bool { state >> 63 } else { (state ^ state >> 32) & mask }
            };
            let bits = [next(), if dtype.is_complex() { next() } else { 0 }];
            values.push(Scalar::from_bits(dtype, bits));
        }
        for value in values {
            let mut builder = Builder::new();
            builder.input(Aval::scalar(dtype));
            let program = builder.finish(vec![value.into()]);
            assert_eq!(parse(&program.to_string()), program, "{program}");
        }
    }
}

#[test]
fn literals_are_short() {
    for (value, text) in [
        (Scalar::from_f64(DType::BF16, 0.1), "0.1:bf16"),
        (Scalar::from_f64(DType::F16, 65504.0), "65500.0:f16"),
        (Scalar::from_f64(DType::F32, 0.1), "0.1:f32"),
        (Scalar::from_f64(DType::F64, 1e100), "1e100:f64"),
        (Scalar::from_f64(DType::F32, -0.0), "-0.0:f32"),
        (Scalar::from_f64(DType::F32, f64::NAN), "nan:f32"),
        (Scalar::from_bits(DType::F32, [0x7fc00001, 0]), "0x7fc00001:f32"),
        (Scalar::from_bits(DType::F16, [0xfe00, 0]), "-nan:f16"),
        (Scalar::from_f64(DType::C64, -2.0), "(-2.0+0.0j):c64"),
        (Scalar::from_f64(DType::Narrow(Narrow::F8E4M3FN), -448.0), "-450.0:f8e4m3fn"),
        (Scalar::from_f64(DType::Narrow(Narrow::F8E5M2FNUZ), f64::NAN), "-nan:f8e5m2fnuz"),
        (Scalar::from_f64(DType::Narrow(Narrow::F8E8M0FNU), 0.25), "0.2:f8e8m0fnu"),
        (Scalar::from_i64(DType::Narrow(Narrow::I4), -3), "-3:i4"),
        (Scalar::new(true), "True"),
        (Scalar::new(i64::MIN), "-9223372036854775808:i64"),
    ] {
        assert_eq!(value.to_string(), text);
    }
}

#[test]
fn constants_hold_their_data() {
    let small = "{ lambda a:f32[2]={1.0 -0.0}; b:f32[2]. let c:f32[2] = add a b in (c,) }";
    assert_canonical(small);
    assert_canonical("{ lambda a:c64[1]={(1.0-2.0j)} b:bool[2]={True False} c:i8[0]={}; . let in (a, b, c) }");
    for dtype in DType::all() {
        let values: Vec<u8> =
            (0..100 * dtype.size()).map(|i| if dtype == DType::Bool { i % 2 } else { i * 37 } as u8).collect();
        let tensor = Tensor::from_bytes(&Aval::new(dtype, [4, 25]), &values);
        let mut builder = Builder::new();
        let constant = builder.constant(tensor.clone());
        let program = builder.finish(vec![constant]);
        assert_eq!(parse(&program.to_string()), program);
        let listed = Tensor::parse_list(&format!("{tensor}, 1:u8,"), "values").unwrap();
        assert!(listed[0].bits_equal(&tensor) && listed.len() == 2);
    }
}

#[test]
fn names_skip_keywords() {
    let mut builder = Builder::new();
    let mut x = builder.input(Aval::scalar(DType::F32));
    for _ in 0..20_000 {
        x = builder.unary(Unary::Sin, x);
    }
    let program = builder.finish(vec![x]);
    let text = program.to_string();
    assert_eq!(parse(&text), program);
    assert!(text.contains("\n    im:f32[] = sin il\n    io:f32[] = sin im\n"), "`in` is not a name");
}

#[test]
fn long_headers_are_filled() {
    let mut builder = Builder::new();
    let inputs: Vec<_> = (0..40).map(|_| builder.input(Aval::new(DType::F32, [128, 128]))).collect();
    let program = builder.finish(inputs);
    let text = program.to_string();
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert_eq!(parse(&text), program);
}

#[test]
fn errors_point_at_the_mistake() {
    let text = "{ lambda ; a:f32[3]. let
    b:f32[3] = sin a
    c:f32[3] = sine b
  in (c,) }";
    assert_eq!(
        Program::parse(text, "wave.jaxpr").unwrap_err().to_string(),
        "wave.jaxpr:3:16: unknown op \"sine\"; did you mean \"sin\" or \"sinh\"?
   |
 3 |     c:f32[3] = sine b
   |                ^^^^"
    );
}

#[test]
fn hostile_text_is_an_error() {
    let nested = |depth: usize| {
        let open = "{ lambda ; a:f32[]. let b:f32[] = jit[name=f jaxpr=".repeat(depth);
        let close = "] a in (b,) }".repeat(depth);
        format!("{open}{{ lambda ; a:f32[]. let in (a,) }}{close}")
    };
    assert_eq!(parse(&nested(99)).count_eqns(), 99);
    assert!(Program::parse(&nested(100), "deep").unwrap_err().message.contains("nest deeper"));
    assert!(Program::parse(&nested(100_000), "deep").unwrap_err().message.contains("nest deeper"));
    let tuples = format!("{{ lambda ; . let a:f32[] = jit[name={}", "(".repeat(1_000_000));
    assert!(Program::parse(&tuples, "deep").unwrap_err().message.contains("nest deeper"));
    let huge = "{ lambda ; a:f32[4294967296,4294967296]. let in (a,) }";
    assert!(Program::parse(huge, "huge").unwrap_err().message.contains("does not fit in memory"));
}

/// Single deletions, duplications and replacements of pieces of every sample: whatever comes out, nothing panics, and what
/// parses prints and parses back.
#[test]
fn damaged_text_never_panics() {
    let pieces = [
        "",
        " ",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        ";",
        ",",
        ".",
        "=",
        "in",
        "-1",
        "99999999999",
        "0x",
        "\"",
        "f32",
        "None",
        "é",
    ];
    for text in structured() {
        let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
        for (step, &place) in places.iter().enumerate() {
            let end = places.get(step + 1 + step % 5).copied().unwrap_or(text.len());
            let damaged = format!("{}{}{}", &text[..place], pieces[(step * 7) % pieces.len()], &text[end..]);
            if let Ok(program) = Program::parse(&damaged, "damaged") {
                assert_eq!(parse(&program.to_string()), program.renumbered());
            }
        }
    }
}

#[test]
fn diff_finds_what_changed() {
    let before = parse("{ lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = cos b; d:f32[] = mul c b in (d,) }");
    let after = parse(
        "{ lambda ; a:f32[]. let b:f32[] = sin a; c:f32[] = neg b; d:f32[] = cos b; e:f32[] = mul d c in (e, 1.0:f32) }",
    );
    assert_eq!(
        diff(&before, &after),
        ["+ c:f32[] = neg b", "- d:f32[] = mul c b", "+ e:f32[] = mul d c", "- outputs d", "+ outputs e 1.0:f32"]
    );
    for text in structured() {
        let program = parse(&text);
        assert!(diff(&program, &program).is_empty());
        assert!(!diff(&program, &before).is_empty());
    }
}

#[test]
fn dot_draws_programs_inside_ops() {
    let scan = structured().into_iter().find(|text| text.contains("scan")).unwrap();
    let graph = dot(&parse(&scan));
    assert!(graph.contains("subgraph cluster_e0_jaxpr0_ {"), "{graph}");
    assert!(graph.contains("i1 -> e0 [label=\"b:f32[5]\"];"), "{graph}");
    assert_eq!(graph.matches('{').count(), graph.matches('}').count());
}
