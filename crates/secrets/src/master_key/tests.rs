use runtime::SystemRandom;

use super::*;

fn org(number: u128) -> OrgId {
    OrgId::from_uuid(uuid::Uuid::from_u128(number))
}

fn place(version: i64) -> Place<'static> {
    Place { org: org(1), name: "provider/anthropic", version }
}

type Tested = std::result::Result<(), Box<dyn std::error::Error>>;

#[test]
fn the_key_is_made_once_private_and_kept() -> Tested {
    let data = tempfile::tempdir()?;
    let first = MasterKey::load_or_create(data.path(), &SystemRandom)?;
    let again = MasterKey::load_or_create(data.path(), &SystemRandom)?;
    assert_eq!(first.id(), again.id());
    let mode = fs::metadata(data.path().join(FILE_NAME))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(data.path())?.map(|entry| entry.map(|e| e.file_name())).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    Ok(())
}

#[test]
fn processes_that_start_at_once_get_the_same_key() -> Tested {
    let data = tempfile::tempdir()?;
    let ids: Vec<_> = std::thread::scope(|threads| {
        let started: Vec<_> = (0..8)
            .map(|_| threads.spawn(|| MasterKey::load_or_create(data.path(), &SystemRandom).map(|k| k.id())))
            .collect();
        started.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<_>>()
    })?;
    assert!(ids.iter().all(|id: &String| *id == ids[0]), "{ids:?}");
    Ok(())
}

#[test]
fn a_key_that_others_may_read_is_refused_with_what_to_do() -> Tested {
    let data = tempfile::tempdir()?;
    MasterKey::load_or_create(data.path(), &SystemRandom)?;
    fs::set_permissions(data.path().join(FILE_NAME), fs::Permissions::from_mode(0o640))?;
    let error = MasterKey::load_or_create(data.path(), &SystemRandom).expect_err("refused");
    assert!(matches!(error, Error::KeyFileOpenToOthers { mode: 0o640, .. }), "{error}");
    assert!(error.to_string().contains("chmod 600"), "{error}");
    Ok(())
}

#[test]
fn a_cut_key_is_refused_and_left_alone() -> Tested {
    let data = tempfile::tempdir()?;
    MasterKey::load_or_create(data.path(), &SystemRandom)?;
    let path = data.path().join(FILE_NAME);
    let cut = fs::read(&path)?[..7].to_vec();
    fs::write(&path, &cut)?;
    let error = MasterKey::load_or_create(data.path(), &SystemRandom).expect_err("refused");
    assert!(matches!(error, Error::KeyFileWrongLength { size_bytes: 7, .. }), "{error}");
    assert_eq!(fs::read(&path)?, cut);
    Ok(())
}

#[test]
fn a_sealed_text_opens_in_its_own_place_only() -> Tested {
    let data = tempfile::tempdir()?;
    let key = MasterKey::load_or_create(data.path(), &SystemRandom)?;
    let sealed = key.seal(&place(3), &Secret::from("sk-ant-12345"), &SystemRandom)?;
    assert!(!sealed.contains("12345"));
    assert_eq!(key.open(&place(3), &sealed)?.expose(), "sk-ant-12345");

    let others =
        [place(2), Place { org: org(2), ..place(3) }, Place { name: "provider/anthropi", ..place(3) }];
    for other in others {
        assert!(matches!(key.open(&other, &sealed), Err(Error::Damaged)), "{other:?}");
    }
    Ok(())
}

#[test]
fn every_flipped_character_of_a_sealed_text_is_noticed() -> Tested {
    let data = tempfile::tempdir()?;
    let key = MasterKey::load_or_create(data.path(), &SystemRandom)?;
    let sealed = key.seal(&place(1), &Secret::from("x"), &SystemRandom)?;
    for at in 0..sealed.len() {
        let mut changed = sealed.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(key.open(&place(1), &String::from_utf8(changed)?).is_err(), "character {at}");
        assert!(key.open(&place(1), &sealed[..at]).is_err(), "cut at {at}");
    }
    Ok(())
}

#[test]
fn another_key_says_that_it_is_another() -> Tested {
    let (one, two) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let first = MasterKey::load_or_create(one.path(), &SystemRandom)?;
    let second = MasterKey::load_or_create(two.path(), &SystemRandom)?;
    let sealed = first.seal(&place(1), &Secret::from("x"), &SystemRandom)?;
    let error = second.open(&place(1), &sealed).expect_err("refused");
    assert!(matches!(&error, Error::OtherKey { wanted, .. } if *wanted == first.id()), "{error}");
    Ok(())
}
