// Node's SDKs against the server of capture.py: what JSON.stringify makes of their usage. Arguments: base URL, node_modules.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [base, modules] = process.argv.slice(2);
const require = createRequire(pathToFileURL(modules + "/"));
const load = async (name) => {
  const found = await import(pathToFileURL(require.resolve(name)).href);
  return found.default && typeof found.default === "object" ? { ...found.default, ...found } : found;
};
const out = [];
const captured = (name, sdk, usage) => {
  const version = JSON.parse(readFileSync(`${modules}/${sdk}/package.json`)).version;
  out.push({ name, sdk: `${sdk} ${version}`, how: "JSON.stringify", usage: JSON.parse(JSON.stringify(usage)) });
};
const hello = [{ role: "user", content: "hello" }];

const { OpenAI } = await load("openai");
const openai = new OpenAI({ apiKey: "k", baseURL: `${base}/v1` });
captured("js-chat", "openai", (await openai.chat.completions.create({ model: "openai", messages: hello })).usage);
captured("js-responses", "openai", (await openai.responses.create({ model: "m", input: "hi" })).usage);

const { Anthropic } = await load("@anthropic-ai/sdk");
const claude = new Anthropic({ apiKey: "k", baseURL: base });
captured("js-messages", "@anthropic-ai/sdk", (await claude.messages.create({ model: "m", max_tokens: 9, messages: hello })).usage);

const { GoogleGenAI } = await load("@google/genai");
const google = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: base } });
captured("js-gemini", "@google/genai", (await google.models.generateContent({ model: "gemini-2.5-pro", contents: "hi" })).usageMetadata);

const { NodeHttpHandler } = await load("@smithy/node-http-handler");
const { BedrockRuntimeClient, ConverseCommand } = await load("@aws-sdk/client-bedrock-runtime");
const bedrock = new BedrockRuntimeClient({
  endpoint: base, region: "us-east-1", credentials: { accessKeyId: "k", secretAccessKey: "k" },
  requestHandler: new NodeHttpHandler(), // HTTP/1.1, which the server speaks
});
const said = [{ role: "user", content: [{ text: "hi" }] }];
const converse = await bedrock.send(new ConverseCommand({ modelId: "cache", messages: said }));
captured("js-bedrock-cache", "@aws-sdk/client-bedrock-runtime", converse.usage);

const { Mistral } = await load("@mistralai/mistralai");
const mistral = new Mistral({ apiKey: "k", serverURL: base });
captured("js-mistral", "@mistralai/mistralai", (await mistral.chat.complete({ model: "mistral", messages: hello })).usage);

const { CohereClientV2 } = await load("cohere-ai");
const cohere = new CohereClientV2({ token: "k", environment: base });
captured("js-cohere-v2", "cohere-ai", (await cohere.chat({ model: "m", messages: hello })).usage);

const { generateText } = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createAnthropic } = await load("@ai-sdk/anthropic");
const chat = createOpenAI({ apiKey: "k", baseURL: `${base}/v1` }).chat("openai");
captured("ai-sdk-openai", "ai", (await generateText({ model: chat, prompt: "hi" })).usage);
const sonnet = createAnthropic({ apiKey: "k", baseURL: `${base}/v1` })("claude-sonnet-4-5");
captured("ai-sdk-anthropic", "ai", (await generateText({ model: sonnet, prompt: "hi" })).usage);

process.stdout.write(JSON.stringify(out));
