/** `2 + 3 * (4 - 1)` → 11: the only thing the sandbox really knows. */

const longest = 200;

/** The value of the first arithmetic expression in a text, or null when there is none that has one. */
export function arithmeticIn(text: string): { expression: string; value: number } | null {
  for (const match of text.slice(0, 4000).matchAll(/[-+]?[\d.(][\d\s.+\-*/^%()×÷]*[\d)]/g)) {
    const expression = match[0].trim();
    if (!/\d\s*[+\-*/^%×÷]\s*[-(\d]/.test(expression) || expression.length > longest) continue;
    const value = evaluate(expression);
    if (value !== null) return { expression, value };
  }
  return null;
}

function evaluate(expression: string): number | null {
  const symbols =
    expression
      .replaceAll('×', '*')
      .replaceAll('÷', '/')
      .match(/\d+(?:\.\d+)?|[-+*/^%()]/g) ?? [];
  let at = 0;
  const atom = (): number => {
    const symbol = symbols[at++];
    if (symbol === '-') return -atom();
    if (symbol === '+') return atom();
    if (symbol === '(') {
      const inner = sum();
      return symbols[at++] === ')' ? inner : Number.NaN;
    }
    return Number(symbol ?? Number.NaN);
  };
  const power = (): number => {
    const base = atom();
    if (symbols[at] !== '^') return base;
    at++;
    return base ** power();
  };
  const product = (): number => {
    let value = power();
    for (;;) {
      const symbol = symbols[at];
      if (symbol !== '*' && symbol !== '/' && symbol !== '%') return value;
      at++;
      const right = power();
      value = symbol === '*' ? value * right : symbol === '/' ? value / right : value % right;
    }
  };
  function sum(): number {
    let value = product();
    for (;;) {
      const symbol = symbols[at];
      if (symbol !== '+' && symbol !== '-') return value;
      at++;
      value += symbol === '+' ? product() : -product();
    }
  }
  const value = sum();
  return at === symbols.length && Number.isFinite(value) ? Number(value.toPrecision(12)) : null;
}
