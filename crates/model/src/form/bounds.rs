//! How large a form, its answers and a patch may be, in one table.

/// Most bytes of a document (a form, or a draft of answers) written as compact JSON.
pub const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// Deepest nesting of a document; a form's own is 5 (document, sections, section, fields, field)
/// and one for `length` and `options`.
pub const DOCUMENT_DEPTH_MAX: usize = 8;
/// Most sections.
pub const SECTIONS_MAX: usize = 25;
/// Most fields of one section.
pub const SECTION_FIELDS_MAX: usize = 50;
/// Most fields of a form.
pub const FIELDS_MAX: usize = 200;
/// Longest field id, bytes.
pub const FIELD_ID_BYTES_MAX: usize = 64;
/// Longest title of a section or field, characters.
pub const TITLE_CHARS_MAX: usize = 256;
/// Longest description of a section or field, characters.
pub const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// Most options of a field.
pub const OPTIONS_MAX: usize = 50;
/// Longest option, characters.
pub const OPTION_CHARS_MAX: usize = 200;
/// The most that a short text's `length` may allow, characters.
pub const SHORT_TEXT_CHARS_MAX: u32 = 1_024;
/// The most that a long text's `length` may allow, characters.
pub const LONG_TEXT_CHARS_MAX: u32 = 16_384;
/// Highest `status_data.limit`.
pub const LIMIT_MAX: u32 = 1_000_000;
/// Latest `status_data.opens_at`: the last moment that a JavaScript `Date` knows.
pub const OPENS_AT_MAX: i64 = 8_640_000_000_000_000;
/// Most faults that are listed; further ones are counted.
pub const FAULTS_MAX: usize = 100;
/// Longest note of a review, characters.
pub const NOTE_CHARS_MAX: usize = 2_000;
