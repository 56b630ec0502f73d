// In every page of every test, before anything else: says so in the page's console, where the tests look, when text was
// taken for markup, or ran.
(() => {
  const FOREIGN = new Set(["iframe", "frame", "object", "embed", "applet", "base", "meta", "marquee", "math", "audio", "video", "isindex"]);
  const OWN = /^(?:data:image\/|blob:|\/|#|\.\/)/;
  const tell = (what) => console.error(`taken for markup: ${what}`);
  const brief = (element) => element.outerHTML.slice(0, 200);
  const own = (url) => OWN.test(url) || url.startsWith(location.origin);

  for (const name of ["alert", "prompt", "print"]) window[name] = () => tell(`${name} was called`);

  const judge = (element) => {
    const inline = element.localName === "script" && !element.getAttribute("src"); // one of ours is a file of ours
    if (inline || (FOREIGN.has(element.localName) && !element.closest("head"))) tell(brief(element));
    for (const { name, value } of element.attributes) {
      const asks = ["src", "href", "xlink:href", "action", "formaction", "data", "srcdoc", "background"].includes(name);
      const leads = element.localName === "a" && /^https?:/.test(value); // where it leads to is nobody's fault
      if (name.startsWith("on") || (asks && !leads && !own(value))) tell(`${name} of ${brief(element)}`);
    }
  };
  const judgeAll = (node) => {
    if (!(node instanceof Element)) return;
    judge(node);
    for (const inner of node.querySelectorAll("*")) judge(inner);
  };
  new MutationObserver((changes) => {
    for (const { type, target, addedNodes } of changes) {
      if (type === "attributes") judge(target);
      else addedNodes.forEach(judgeAll);
    }
  }).observe(document, { childList: true, subtree: true, attributes: true });
})();
