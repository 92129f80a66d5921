//! Compile options: a protocol buffer, of which a few fields are written.

/// One field of a message: its number and a value as a varint.
fn field(bytes: &mut Vec<u8>, number: u64, value: u64) {
    varint(bytes, number << 3);
    varint(bytes, value);
}

/// One field of a message: its number and bytes, which are a message or a string.
fn nested(bytes: &mut Vec<u8>, number: u64, value: &[u8]) {
    varint(bytes, number << 3 | 2);
    varint(bytes, value.len() as u64);
    bytes.extend(value);
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// `CompileOptionsProto` with `ExecutableBuildOptions { num_replicas, num_partitions, use_spmd_partitioning }`.
pub fn compile_options(replicas: usize, partitions: usize) -> Vec<u8> {
    let mut build = vec![];
    field(&mut build, 4, replicas.max(1) as u64);
    field(&mut build, 5, partitions.max(1) as u64);
    if partitions > 1 {
        field(&mut build, 6, 1);
    }
    let mut bytes = vec![];
    nested(&mut bytes, 3, &build);
    bytes
}

/// The options for programs that run on a platform: XLA's compiler for CPUs takes the maximum of NaN and a number to be either of them
/// unless `env_option_overrides` says otherwise.
pub fn options_on(platform: &str, replicas: usize) -> Vec<u8> {
    let mut bytes = compile_options(replicas, 1);
    if platform == "cpu" {
        let (mut off, mut entry) = (vec![], vec![]);
        field(&mut off, 2, 0);
        nested(&mut entry, 1, b"xla_cpu_enable_fast_min_max");
        nested(&mut entry, 2, &off);
        nested(&mut bytes, 7, &entry);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{compile_options, options_on};

    #[test]
    fn one_replica_is_six_bytes() {
        assert_eq!(compile_options(1, 1), [0x1a, 4, 0x20, 1, 0x28, 1]);
        assert_eq!(compile_options(300, 1), [0x1a, 5, 0x20, 0xac, 2, 0x28, 1]);
        assert_eq!(compile_options(1, 4), [0x1a, 6, 0x20, 1, 0x28, 4, 0x30, 1]);
    }

    /// The bytes that jaxlib writes for the same override.
    #[test]
    fn maxima_keep_nan_on_processors() {
        let expected = b"\x1a\x04\x20\x01\x28\x01:!\n\x1bxla_cpu_enable_fast_min_max\x12\x02\x10\x00";
        assert_eq!(options_on("cpu", 1), expected);
        assert_eq!(options_on("tpu", 1), compile_options(1, 1));
    }
}
