"use strict";
const WORDS = {
  en: {
    model: "Model", api: "API", prompt: "Prompt", first: "First response", second: "Second response", go: "Compare",
    note: "Rewards are raw; only differences between responses to one prompt mean something. Colours: what each token adds to the reward.",
    reward: "reward", z: "z", percentile: "percentile", uncertainty: "± std", tokens: "tokens", truncated: "truncated", yes: "yes",
    margin: "margin", better: "P(first is better)", other: "中文",
    fewer: "no values per token", failed: "the server cannot be reached",
  },
  zh: {
    model: "模型", api: "API", prompt: "提示词", first: "第一条回复", second: "第二条回复", go: "比较",
    note: "奖励为原始值；只有同一提示词下回复之间的差值才有意义。颜色：每个 token 对奖励的贡献。",
    reward: "奖励", z: "z", percentile: "百分位", uncertainty: "± 标准差", tokens: "token 数", truncated: "已截断", yes: "是",
    margin: "奖励差", better: "P(第一条更好)", other: "English",
    fewer: "没有逐 token 的值", failed: "无法连接服务",
  },
};
const part = (id) => document.getElementById(id);
let language = (navigator.language || "en").startsWith("zh") ? "zh" : "en";
let models = [];
let asked = 0;

function speak() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = WORDS[language][element.dataset.say];
  part("language").textContent = WORDS[language].other;
}

async function ask(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, { method, headers: body ? { "content-type": "application/json" } : {}, body: body && JSON.stringify(body) });
  } catch {
    throw new Error(WORDS[language].failed);
  }
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error ? found.error.message : String(answer.status));
  return found;
}

function facts(number, result) {
  const words = WORDS[language];
  const list = part(`facts-${number}`);
  list.replaceChildren();
  const rows = [["reward", result.reward], ["uncertainty", result.uncertainty], ["z", result.z], ["percentile", result.percentile]];
  const shown = rows.filter(([, value]) => value !== null).map(([name, value]) => [words[name], value.toFixed(4)]);
  for (const [name, value] of Object.entries(result.columns)) if (name !== "std") shown.push([name, value.toFixed(4)]);
  shown.push([words.tokens, String(result.tokens)]);
  if (result.truncated) shown.push([words.truncated, words.yes]);
  for (const [name, value] of shown) {
    const term = document.createElement("dt");
    const detail = document.createElement("dd");
    term.textContent = name;
    detail.textContent = value;
    list.append(term, detail);
  }
}

function tokens(number, view) {
  const place = part(`tokens-${number}`);
  place.replaceChildren();
  if (!view) {
    place.textContent = WORDS[language].fewer;
    return;
  }
  const added = view.values.map((value, at) => (at ? value - view.values[at - 1] : 0));
  const largest = Math.max(...added.map(Math.abs), 1e-9);
  view.texts.forEach((text, at) => {
    const span = document.createElement("span");
    const strength = Math.ceil((3 * Math.abs(added[at])) / largest);
    span.textContent = text;
    span.title = `${view.values[at].toFixed(4)} (${added[at] >= 0 ? "+" : ""}${added[at].toFixed(4)})`;
    if (strength) span.className = `${added[at] > 0 ? "up" : "down"}-${strength}`;
    place.append(span);
  });
}

async function compare() {
  const turn = ++asked;
  part("error").textContent = "";
  const model = part("model").value;
  const prompt = part("prompt").value;
  const responses = [part("text-0").value, part("text-1").value];
  const known = models.find((one) => one.name === model);
  try {
    const [both, scored] = await Promise.all([
      ask("POST", "v1/compare", { model, prompt, first: responses[0], second: responses[1], truncate: true }),
      ask("POST", "v1/score", { model, prompt, responses, truncate: true, per_token: Boolean(known && known.per_token) }),
    ]);
    if (turn !== asked) return;
    scored.results.forEach((result, number) => {
      facts(number, result);
      tokens(number, result.per_token);
    });
    const words = WORDS[language];
    part("verdict").textContent = `${words.margin} ${both.margin.toFixed(4)}, ${words.better} ${both.p_first.toFixed(3)}`;
  } catch (error) {
    if (turn === asked) part("error").textContent = error.message;
  }
}

async function start() {
  speak();
  part("go").addEventListener("click", compare);
  part("language").addEventListener("click", () => {
    language = language === "en" ? "zh" : "en";
    speak();
  });
  try {
    models = (await ask("GET", "v1/models")).models;
    for (const one of models) part("model").append(new Option(one.name, one.name));
  } catch (error) {
    part("error").textContent = error.message;
  }
}

start();
