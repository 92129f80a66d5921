//! How loops are split, written out and fed.

use super::{copies, planned};
use rjax_kernel::kir::{Module, Space};

#[test]
fn loops_over_padded_arrays_are_split_where_the_padding_ends() {
    let module = planned(
        "{ lambda ; a:f32[100] b:f32[100]. let
            c:f32[102] = pad[padding_config=((1, 1, 0),)] a 0.0:f32
            d:f32[102] = pad[padding_config=((2, 0, 0),)] b 1.0:f32
            e:f32[102] = mul c d
        in (e,) }",
        &[],
    );
    let text = module.to_string();
    assert_eq!(text.matches("vector {").count(), 4, "{module}");
    assert!(!text.contains(" if "), "{module}");
}

#[test]
fn padding_between_elements_is_known_in_whole_periods() {
    for rows in [1, 5] {
        let module = planned(
            &format!(
                "{{ lambda ; a:f32[{rows},100]. let
                    b:f32[{rows},300] = pad[padding_config=((0, 0, 0), (1, 1, 2))] a 7.0:f32
                in (b,) }}"
            ),
            &[],
        )
        .to_string();
        let in_periods = |body: &&str| body.matches("store").count() == 3;
        let periods: Vec<&str> = module.split("for ").filter(in_periods).collect();
        let [periods] = periods[..] else { panic!("{} loops store three elements\n{module}", periods.len()) };
        assert!(!periods.contains("index_rem") && !periods.contains(" if "), "{module}");
    }
}

/// An array rolled along both axes and added to itself, in a loop that also carries something else.
const ROLLED: &str = "{ lambda ; a:f32[70,130] v:f32[70,130]. let
    b:f32[69,130] = slice[limit_indices=(70, 130) start_indices=(1, 0) strides=None] a
    c:f32[1,130] = slice[limit_indices=(1, 130) start_indices=(0, 0) strides=None] a
    d:f32[70,130] = concatenate[dimension=0] b c
    e:f32[70,2] = slice[limit_indices=(70, 130) start_indices=(0, 128) strides=None] a
    f:f32[70,128] = slice[limit_indices=(70, 128) start_indices=(0, 0) strides=None] a
    g:f32[70,130] = concatenate[dimension=1] e f
    h:f32[70,130] = add d g
    i:f32[70,130] = add v h
    j:f32[70,130] = mul i i
in (i, j) }";

#[test]
fn rolled_arrays_are_read_where_they_are() {
    let module = planned(ROLLED, &[false, true]);
    assert_eq!(module.kernels.len(), 1, "{module}");
    let text = module.to_string();
    // The columns where pieces end part the loop over columns; the two outputs are written in each part.
    assert_eq!((text.matches("vector {").count(), text.matches("store").count()), (2, 4), "{module}");
    assert!(!module.buffers.iter().any(|buffer| matches!(buffer.space, Space::Arena(_))), "{module}");
    // Rows of few elements had better be written one after the other.
    let short = planned(
        "{ lambda ; a:f32[300,4] b:f32[300,4]. let
            c:f32[600,4] = concatenate[dimension=0] a b
            d:f32[600,4] = mul c c
        in (d,) }",
        &[],
    );
    assert!(!short.to_string().contains(" if "), "{short}");
}

#[test]
fn what_is_split_is_still_written_in_place() {
    let padded = "{ lambda ; a:f32[30,100] b:f32[30,102]. let
        c:f32[30,102] = pad[padding_config=((0, 0, 0), (1, 1, 0))] a 0.0:f32
        d:f32[30,102] = add b c
        e:f32[30,102] = mul d d
    in (e,) }";
    let module = planned(
        &format!(
            "{{ lambda ; a:f32[30,100] b:f32[30,102]. let
            c:f32[30,102] = scan[jaxpr={padded} length=4 num_carry=1 num_consts=1 reverse=False] a b
        in (c,) }}"
        ),
        &[],
    );
    assert!(module.to_string().matches("vector {").count() >= 3, "{module}");
    assert_eq!(copies(&module.body), 1, "the one that begins the loop: {module}");
}

#[test]
fn short_loops_in_long_ones_are_written_out() {
    let module = planned(
        "{ lambda ; a:f32[100,5]. let
            b:f32[100] = reduce_max[axes=(1,)] a
            c:f32[100,5] = broadcast_in_dim[broadcast_dimensions=(0,) shape=(100, 5)] b
            d:f32[100,5] = sub a c
            e:f32[100,5] = exp d
            f:f32[100] = reduce_sum[axes=(1,)] e
            g:f32[100,5] = broadcast_in_dim[broadcast_dimensions=(0,) shape=(100, 5)] f
            h:f32[100,5] = div e g
        in (h,) }",
        &[],
    );
    let loops = |module: &Module| module.to_string().matches("for ").count();
    assert_eq!(loops(&module), module.kernels.len(), "{module}");
    // How long rows may be depends on how slow the lanes of a vector are to come together.
    let of_rows = |length: usize, op: &str| {
        let module = planned(&format!("{{ lambda ; a:f32[100,{length}]. let b:{op} a in (b,) }}"), &[]);
        loops(&module) == 1
    };
    let argmax = "i32[100] = argmax[axes=(1,) index_dtype=i32]";
    let sum = "f32[100] = reduce_sum[axes=(1,)]";
    assert_eq!([11, 64, 65].map(|length| of_rows(length, argmax)), [true, true, false]);
    assert_eq!([11, 31, 32].map(|length| of_rows(length, sum)), [true, true, false]);
}
