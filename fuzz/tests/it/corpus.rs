//! Every file of the corpus through its target: what once made one panic never does again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tracehub_fuzz::TARGETS;

/// What the repository has room for.
const MAX_BYTES: u64 = 1 << 20;

/// The names in a folder of this crate, without their endings.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("the folder is there");
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    paths.map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned()).collect()
}

#[test]
fn each_target_has_a_program_a_corpus_and_a_dictionary() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for folder in ["fuzz_targets", "corpus", "dictionaries"] {
        assert_eq!(names(folder), targets, "{folder}");
    }
}

#[test]
fn the_corpus_holds() {
    let mut bytes = 0;
    for (name, check) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let files =
            fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("it can be listed").path());
        let mut count = 0;
        for file in files {
            let input = fs::read(&file).expect("it can be read");
            // The test's output is shown when the target panics.
            println!("{}", file.display());
            check(&input);
            (count, bytes) = (count + 1, bytes + input.len() as u64);
        }
        assert!(count >= 20, "{name}: {count} files");
    }
    assert!(bytes <= MAX_BYTES, "{bytes} bytes");
}
