// @ts-check
/** Names for a form's sections, so that one is known again when others come before it. */

/** @typedef {{ title: string, description?: string, fields: { id: string }[] }} Section */

/** Whether a section is one that was known, the surest sign first. @type {((was: Section, is: Section) => boolean)[]} */
const SIGNS = [
  (was, is) => was.fields.some(({ id }) => is.fields.some((field) => field.id === id)),
  (was, is) => was.title === is.title && was.description === is.description,
];

export class SectionNames {
  /** @type {{ name: string, section: Section }[]} */ #known = [];
  #made = 0;

  /**
   * A name for each section, the one it had before if it had one. A section has no id: it is
   * known by its fields, else by its texts, else by its place.
   * @param {Section[]} sections
   * @returns {string[]}
   */
  of(sections) {
    const free = [...this.#known];
    const isAsMany = free.length === sections.length;
    const found = sections.map(() => "");
    const take = (/** @type {number} */ at, /** @type {number} */ index) => {
      found[index] = free[at].name;
      delete free[at];
    };
    for (const isSame of SIGNS) {
      sections.forEach((section, index) => {
        if (found[index]) return;
        // The same place first, since two may read the same.
        const places = [index, ...free.keys()];
        const at = places.find((place) => free[place] && isSame(free[place].section, section));
        if (at !== undefined) take(at, index);
      });
    }
    found.forEach((name, index) => {
      if (name) return;
      if (isAsMany && free[index]) take(index, index);
      else found[index] = `section-${++this.#made}`;
    });
    this.#known = sections.map((section, index) => ({ name: found[index], section }));
    return found;
  }
}
