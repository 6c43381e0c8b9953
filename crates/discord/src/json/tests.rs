use super::*;

/// The end of the value at 0, found the slow way.
fn naive_end(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_u32;
    let mut in_string = false;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[test]
fn the_end_of_a_value_is_found_whatever_is_in_it() {
    let mut rng = crate::Rng::new(3);
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        "\"a\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"}\\\\\\\"{\"",
        "1",
        ",",
        " ",
        "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"",
    ];
    for _ in 0..20_000 {
        let mut text = String::from("{");
        for _ in 0..rng.below(60) {
            let index = usize::try_from(rng.below(pieces.len() as u64)).expect("an index");
            text.push_str(pieces[index]);
        }
        assert_eq!(
            skip::nested(text.as_bytes(), 0),
            naive_end(text.as_bytes()),
            "{text}"
        );
    }
}

#[test]
fn strings_end_at_the_first_quote_or_backslash_wherever_it_is() {
    for length in 0..70 {
        for start in 0..3_usize {
            let mut open = vec![b'"'; start];
            open.extend(vec![b'x'; length]);
            assert_eq!(skip::string_end(&open, start), None);
            for end in *b"\"\\" {
                let mut text = open.clone();
                text.push(end);
                text.extend(b"xx\"\\xxxxxxxxxxxxxxxxxxxxxx");
                assert_eq!(skip::string_end(&text, start), Some(start + length));
            }
        }
    }
    assert_eq!(skip::string_end(b"", 1), None, "past the end");
}

#[test]
fn numbers_are_read_as_the_library_reads_them() {
    let mut rng = crate::Rng::new(7);
    let mut texts: Vec<String> = [
        "",
        "00000000",
        "18446744073709551615",
        "18446744073709551616",
    ]
    .map(str::to_owned)
    .into();
    let odd = b"/:;?@aA*\x00~\x7F- ";
    for _ in 0..20_000 {
        let length = 1 + rng.below(24);
        let mut digits: Vec<u8> = (0..length)
            .map(|_| b'0' + u8::try_from(rng.below(10)).expect("a digit"))
            .collect();
        if rng.below(3) == 0 {
            let at = usize::try_from(rng.below(length)).expect("an index");
            let which = usize::try_from(rng.below(odd.len() as u64)).expect("an index");
            digits[at] = odd[which];
        }
        texts.push(String::from_utf8(digits).expect("ASCII"));
    }
    for text in texts {
        assert_eq!(unsigned(text.as_bytes()), text.parse().ok(), "{text:?}");
    }
}

#[test]
fn fields_are_read_or_skipped() {
    let text = br#" { "a" : "x\ny" , "b" : [1, {"c": "]"}], "n": null, "i": "18446744073709551615",
        "j": 7, "f": 1.5, "neg": -3, "t": true, "e": {} } "#;
    let mut seen = Vec::new();
    Cursor::new(text)
        .fields(|key, value| {
            let key = std::str::from_utf8(key).expect("ASCII");
            match key {
                "a" => seen.push(format!("{:?}", value.text()?)),
                "n" => seen.push(format!("{:?}", value.nullable_text()?)),
                "i" | "j" | "f" | "neg" => seen.push(format!("{key}={:?}", value.number()?)),
                "t" => seen.push(format!("{:?}", value.boolean()?)),
                _ => {}
            }
            Ok(())
        })
        .expect("well formed");
    assert_eq!(
        seen,
        [
            "Some(\"x\\ny\")",
            "Some(None)",
            "i=Some(18446744073709551615)",
            "j=Some(7)",
            "f=None",
            "neg=None",
            "Some(true)"
        ]
    );
}

#[test]
fn what_is_no_json_is_an_error_and_never_a_panic() {
    for text in [
        "",
        " ",
        "{",
        "{\"",
        "{\"a",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{a:1}",
        "{\"a\" 1}",
        "{\"a\":[}",
        "{\"a\":\"\\",
        "{\"a\":x}",
        "[1",
        "[[[[",
    ] {
        assert!(
            Cursor::new(text.as_bytes()).fields(|_, _| Ok(())).is_err() || text.starts_with('['),
            "{text}"
        );
        let _ = Cursor::new(text.as_bytes()).items(|item| item.skip());
    }
}

#[test]
fn numbers_are_read_up_to_their_bound() {
    let cases = [
        ("0", Some(0)),
        ("\"00012\"", Some(12)),
        ("9999999999999999999", Some(9_999_999_999_999_999_999)),
        ("\"18446744073709551615\"", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("\"\"", None),
        ("\"1a\"", None),
        ("\"+1\"", None),
        ("1e3", None),
        ("-1", None),
        ("null", None),
    ];
    for (text, expected) in cases {
        assert_eq!(
            Cursor::new(text.as_bytes()).number(),
            Ok(expected),
            "{text}"
        );
    }
}
