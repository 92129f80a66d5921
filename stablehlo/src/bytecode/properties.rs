//! The attribute names of each VHLO operation, in the order in which its properties list them (alphabetical), what
//! attributes of a name hold, and which version of an operation belongs to a version of VHLO.

use super::Version;

/// The operations without attributes, which have one version each.
const PLAIN: &[&str] = &[
    "abs",
    "add",
    "after_all",
    "and",
    "atan2",
    "bitcast_convert",
    "case",
    "ceil",
    "clamp",
    "complex",
    "convert",
    "count_leading_zeros",
    "create_token",
    "divide",
    "dynamic_pad",
    "dynamic_reshape",
    "dynamic_update_slice",
    "floor",
    "if",
    "imag",
    "is_finite",
    "maximum",
    "minimum",
    "multiply",
    "negate",
    "not",
    "optimization_barrier",
    "or",
    "partition_id",
    "popcnt",
    "power",
    "real",
    "real_dynamic_slice",
    "remainder",
    "replica_id",
    "reshape",
    "return",
    "round_nearest_afz",
    "round_nearest_even",
    "select",
    "shift_left",
    "shift_right_arithmetic",
    "shift_right_logical",
    "sign",
    "subtract",
    "tuple",
    "while",
    "xor",
];

/// The name with its version that an operation has in a version of VHLO; `None` where that has no such operation.
pub(super) fn versioned(operation: &str, version: Version) -> Option<String> {
    if PLAIN.contains(&operation) {
        return Some(format!("{operation}_v1"));
    }
    // The first version of VHLO that has the second version of the operation, which the reader and XLA prefer.
    let second = match operation {
        "gather" | "scatter" | "dynamic_gather" => Version(1, 1, 0),
        "all_gather" | "all_reduce" | "all_to_all" => Version(1, 5, 0),
        "dot_general" => Version(1, 6, 0),
        "exponential" => Version(1, 9, 0),
        "cbrt"
        | "cosine"
        | "exponential_minus_one"
        | "log"
        | "log_plus_one"
        | "logistic"
        | "rsqrt"
        | "sine"
        | "sqrt"
        | "tan"
        | "tanh" => Version(1, 10, 0),
        "recv" | "send" => Version(1, 12, 0),
        "composite" => Version(1, 14, 0),
        "custom_call" => Version(1, 18, 0),
        "collective_broadcast" => Version(1, 20, 0),
        "dynamic_conv" => Version(0, 20, 0),
        _ => Version(u32::MAX, 0, 0),
    };
    if operation == "tan" && version < Version(1, 4, 0)
        || operation == "collective_reduce" && version < Version(1, 19, 0)
    {
        return None;
    }
    let name = format!("{operation}_v{}", if version >= second { 2 } else { 1 });
    let known = names(&name).is_some() || second != Version(u32::MAX, 0, 0);
    known.then_some(name)
}

/// What the attributes of a name hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A list of 64-bit integers.
    Integers,
    /// Rows of 64-bit integers: pairs of padding, replica groups.
    Rows,
    /// A list of booleans.
    Booleans,
    Int64,
    Int32,
    Boolean,
    Float,
    String,
    /// A string or a dictionary.
    Config,
    Dictionary,
    /// One of the named values, encoded as its place in the list.
    Enumerant(&'static str, &'static [&'static str]),
    /// Two of the values of `precision`.
    Precisions,
    /// The value of a constant.
    Constant,
    /// Layouts: a list of constants of type `index`.
    Layouts,
    /// Which operand an output shares its memory with.
    Aliases,
    /// A list of anything.
    List,
    /// A type, or an integer or boolean in its place; `none` where nothing is said.
    Optional,
    /// How exact a result is asked to be.
    Accuracy,
}

pub(crate) const DIRECTIONS: &[&str] = &["EQ", "NE", "GE", "GT", "LE", "LT"];
pub(crate) const COMPARISONS: &[&str] = &["NOTYPE", "FLOAT", "TOTALORDER", "SIGNED", "UNSIGNED"];
pub(crate) const CALLS: &[&str] =
    &["UNSPECIFIED", "ORIGINAL", "STATUS_RETURNING", "STATUS_RETURNING_UNIFIED", "TYPED_FFI"];
pub(crate) const TRANSFORMS: &[&str] = &["FFT", "IFFT", "RFFT", "IRFFT"];
pub(crate) const PRECISIONS: &[&str] = &["DEFAULT", "HIGH", "HIGHEST"];
pub(crate) const ALGORITHMS: &[&str] = &["DEFAULT", "THREE_FRY", "PHILOX"];
pub(crate) const DISTRIBUTIONS: &[&str] = &["", "UNIFORM", "NORMAL"];
pub(crate) const TRANSPOSES: &[&str] = &["TRANSPOSE_INVALID", "NO_TRANSPOSE", "TRANSPOSE", "ADJOINT"];

/// What an attribute of this name holds; names mean the same in all operations.
pub(crate) fn kind(attribute: &str) -> Kind {
    match attribute {
        "padding" | "replica_groups" | "source_target_pairs" => Kind::Rows,
        "window_reversal" => Kind::Booleans,
        "exponent_bits" | "mantissa_bits" | "index" | "version" => Kind::Int32,
        "indices_are_sorted"
        | "unique_indices"
        | "is_stable"
        | "lower"
        | "left_side"
        | "unit_diagonal"
        | "use_global_device_ids"
        | "has_side_effect"
        | "is_host_transfer"
        | "has_dynamic_root" => Kind::Boolean,
        "epsilon" => Kind::Float,
        "callee" | "call_target_name" | "decomposition" | "name" | "einsum_config" | "infeed_config"
        | "outfeed_config" => Kind::String,
        "backend_config" => Kind::Config,
        "composite_attributes" => Kind::Dictionary,
        "comparison_direction" => Kind::Enumerant("comparison_direction", DIRECTIONS),
        "compare_type" => Kind::Enumerant("comparison_type", COMPARISONS),
        "api_version" => Kind::Enumerant("api_version", CALLS),
        "fft_type" => Kind::Enumerant("fft_type", TRANSFORMS),
        "rng_algorithm" => Kind::Enumerant("rng_algorithm", ALGORITHMS),
        "rng_distribution" => Kind::Enumerant("rng_distribution", DISTRIBUTIONS),
        "transpose_a" => Kind::Enumerant("transpose", TRANSPOSES),
        "precision_config" => Kind::Precisions,
        "value" => Kind::Constant,
        "operand_layouts" | "result_layouts" => Kind::Layouts,
        "output_operand_aliases" => Kind::Aliases,
        "called_computations" | "result_tilings" | "layout" => Kind::List,
        "accumulation_type"
        | "allow_imprecise_accumulation"
        | "lhs_component_count"
        | "lhs_precision_type"
        | "num_primitive_operations"
        | "rhs_component_count"
        | "rhs_precision_type" => Kind::Optional,
        "result_accuracy" => Kind::Accuracy,
        "all_gather_dim"
        | "batch_dims"
        | "batch_group_count"
        | "channel_id"
        | "channel_type"
        | "concat_dimension"
        | "dim"
        | "dimension"
        | "feature_group_count"
        | "feature_index"
        | "index_vector_dim"
        | "input_batch_dimension"
        | "input_feature_dimension"
        | "iota_dimension"
        | "kernel_input_feature_dimension"
        | "kernel_output_feature_dimension"
        | "output_batch_dimension"
        | "output_feature_dimension"
        | "scatter_dimension"
        | "split_count"
        | "split_dimension" => Kind::Int64,
        _ => Kind::Integers,
    }
}

/// Attribute names of a VHLO operation, named with its version; `None` for operations that have no attributes or are unknown.
pub(crate) fn names(operation: &str) -> Option<&'static [&'static str]> {
    ATTRIBUTES.iter().find(|(operations, _)| operations.contains(&operation)).map(|(_, names)| *names)
}

/// The names of all attributes.
pub(crate) fn all_names() -> impl Iterator<Item = &'static str> {
    ATTRIBUTES.iter().flat_map(|(_, names)| names.iter().copied())
}

/// Operations with their versions, and their attributes.
const ATTRIBUTES: &[(&[&str], &[&str])] = &[
    (&["all_gather_v1", "all_gather_v2"], &["all_gather_dim", "channel_id", "replica_groups", "use_global_device_ids"]),
    (&["all_reduce_v1", "all_reduce_v2"], &["channel_id", "replica_groups", "use_global_device_ids"]),
    (
        &["all_to_all_v1", "all_to_all_v2"],
        &["channel_id", "concat_dimension", "replica_groups", "split_count", "split_dimension"],
    ),
    (&["batch_norm_grad_v1", "batch_norm_inference_v1", "batch_norm_training_v1"], &["epsilon", "feature_index"]),
    (&["broadcast_in_dim_v1"], &["broadcast_dimensions"]),
    (&["broadcast_v1"], &["broadcast_sizes"]),
    (&["call_v1"], &["callee"]),
    (
        &[
            "cbrt_v2",
            "cosine_v2",
            "exponential_minus_one_v2",
            "exponential_v2",
            "log_plus_one_v2",
            "log_v2",
            "logistic_v2",
            "rsqrt_v2",
            "sine_v2",
            "sqrt_v2",
            "tan_v2",
            "tanh_v2",
        ],
        &["result_accuracy"],
    ),
    (&["cholesky_v1"], &["lower"]),
    (&["collective_broadcast_v1"], &["channel_id", "replica_groups"]),
    (&["collective_broadcast_v2"], &["channel_id", "has_dynamic_root", "replica_groups"]),
    (&["collective_permute_v1"], &["channel_id", "source_target_pairs"]),
    (&["collective_reduce_v1"], &["channel_id", "has_dynamic_root", "replica_groups", "use_global_device_ids"]),
    (&["compare_v1"], &["compare_type", "comparison_direction"]),
    (&["composite_v1", "composite_v2"], &["composite_attributes", "decomposition", "name", "version"]),
    (&["concatenate_v1", "get_dimension_size_v1", "set_dimension_size_v1"], &["dimension"]),
    (&["constant_v1"], &["value"]),
    (
        &["convolution_v1", "dynamic_conv_v1"],
        &[
            "batch_group_count",
            "feature_group_count",
            "input_batch_dimension",
            "input_feature_dimension",
            "input_spatial_dimensions",
            "kernel_input_feature_dimension",
            "kernel_output_feature_dimension",
            "kernel_spatial_dimensions",
            "lhs_dilation",
            "output_batch_dimension",
            "output_feature_dimension",
            "output_spatial_dimensions",
            "padding",
            "precision_config",
            "rhs_dilation",
            "window_reversal",
            "window_strides",
        ],
    ),
    (&["cross-replica-sum_v1"], &["replica_groups"]),
    (
        &["custom_call_v1"],
        &[
            "api_version",
            "backend_config",
            "call_target_name",
            "called_computations",
            "has_side_effect",
            "operand_layouts",
            "output_operand_aliases",
            "result_layouts",
        ],
    ),
    (
        &["custom_call_v2"],
        &[
            "api_version",
            "backend_config",
            "call_target_name",
            "called_computations",
            "has_side_effect",
            "operand_layouts",
            "output_operand_aliases",
            "result_layouts",
            "result_tilings",
        ],
    ),
    (
        &["dot_general_v1"],
        &[
            "lhs_batching_dimensions",
            "lhs_contracting_dimensions",
            "precision_config",
            "rhs_batching_dimensions",
            "rhs_contracting_dimensions",
        ],
    ),
    (
        &["dot_general_v2"],
        &[
            "accumulation_type",
            "allow_imprecise_accumulation",
            "lhs_batching_dimensions",
            "lhs_component_count",
            "lhs_contracting_dimensions",
            "lhs_precision_type",
            "num_primitive_operations",
            "precision_config",
            "rhs_batching_dimensions",
            "rhs_component_count",
            "rhs_contracting_dimensions",
            "rhs_precision_type",
        ],
    ),
    (&["dot_v1"], &["precision_config"]),
    (
        &["dynamic_broadcast_in_dim_v1"],
        &["broadcast_dimensions", "known_expanding_dimensions", "known_nonexpanding_dimensions"],
    ),
    (
        &["dynamic_conv_v2"],
        &[
            "batch_group_count",
            "feature_group_count",
            "input_batch_dimension",
            "input_feature_dimension",
            "input_spatial_dimensions",
            "kernel_input_feature_dimension",
            "kernel_output_feature_dimension",
            "kernel_spatial_dimensions",
            "lhs_dilation",
            "output_batch_dimension",
            "output_feature_dimension",
            "output_spatial_dimensions",
            "precision_config",
            "rhs_dilation",
            "window_reversal",
            "window_strides",
        ],
    ),
    (
        &["dynamic_gather_v1"],
        &["collapsed_slice_dims", "index_vector_dim", "indices_are_sorted", "offset_dims", "start_index_map"],
    ),
    (
        &["dynamic_gather_v2"],
        &[
            "collapsed_slice_dims",
            "index_vector_dim",
            "indices_are_sorted",
            "offset_dims",
            "operand_batching_dims",
            "start_index_map",
            "start_indices_batching_dims",
        ],
    ),
    (&["dynamic_iota_v1", "iota_v1"], &["iota_dimension"]),
    (&["dynamic_slice_v1"], &["slice_sizes"]),
    (&["einsum_v1", "unary_einsum_v1"], &["einsum_config"]),
    (&["fft_v1"], &["fft_length", "fft_type"]),
    (&["func_v1"], &["arg_attrs", "function_type", "res_attrs", "sym_name", "sym_visibility"]),
    (
        &["gather_v1"],
        &[
            "collapsed_slice_dims",
            "index_vector_dim",
            "indices_are_sorted",
            "offset_dims",
            "slice_sizes",
            "start_index_map",
        ],
    ),
    (
        &["gather_v2"],
        &[
            "collapsed_slice_dims",
            "index_vector_dim",
            "indices_are_sorted",
            "offset_dims",
            "operand_batching_dims",
            "slice_sizes",
            "start_index_map",
            "start_indices_batching_dims",
        ],
    ),
    (&["get_tuple_element_v1"], &["index"]),
    (&["infeed_v1"], &["infeed_config", "layout"]),
    (&["map_v1", "reduce_v1", "reverse_v1"], &["dimensions"]),
    (&["outfeed_v1"], &["outfeed_config"]),
    (&["pad_v1"], &["edge_padding_high", "edge_padding_low", "interior_padding"]),
    (&["recv_v1", "send_v1"], &["channel_id", "channel_type", "is_host_transfer"]),
    (&["recv_v2", "send_v2"], &["channel_id", "channel_type", "is_host_transfer", "source_target_pairs"]),
    (&["reduce_precision_v1"], &["exponent_bits", "mantissa_bits"]),
    (&["reduce_scatter_v1"], &["channel_id", "replica_groups", "scatter_dimension", "use_global_device_ids"]),
    (&["reduce_window_v1"], &["base_dilations", "padding", "window_dilations", "window_dimensions", "window_strides"]),
    (&["rng_bit_generator_v1"], &["rng_algorithm"]),
    (&["rng_v1"], &["rng_distribution"]),
    (
        &["scatter_v1"],
        &[
            "index_vector_dim",
            "indices_are_sorted",
            "inserted_window_dims",
            "scatter_dims_to_operand_dims",
            "unique_indices",
            "update_window_dims",
        ],
    ),
    (
        &["scatter_v2"],
        &[
            "index_vector_dim",
            "indices_are_sorted",
            "input_batching_dims",
            "inserted_window_dims",
            "scatter_dims_to_operand_dims",
            "scatter_indices_batching_dims",
            "unique_indices",
            "update_window_dims",
        ],
    ),
    (&["select_and_scatter_v1"], &["padding", "window_dimensions", "window_strides"]),
    (&["slice_v1"], &["limit_indices", "start_indices", "strides"]),
    (&["sort_v1"], &["dimension", "is_stable"]),
    (&["torch_index_select_v1"], &["batch_dims", "dim"]),
    (&["transpose_v1"], &["permutation"]),
    (&["triangular_solve_v1"], &["left_side", "lower", "transpose_a", "unit_diagonal"]),
];
