// The Vercel AI SDK with its own OpenTelemetry integration: each call in a session of its context.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { OpenTelemetry } from "@ai-sdk/otel";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { detectResources, envDetector } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { embed, generateText, isStepCount, registerTelemetry, streamText, tool } from "ai";
import { z } from "zod";

const provider = new NodeTracerProvider({
  resource: detectResources({ detectors: [envDetector] }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();
registerTelemetry(new OpenTelemetry({ usage: true, runtimeContext: true }));

const sessionId = process.env.SESSION;
const prompt = "What is the weather in Recife?";
const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const anthropic = createAnthropic({ baseURL: `${process.env.ANTHROPIC_BASE_URL}/v1` });
const weather = tool({
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});

for (const model of [openai.chat("gpt-4o-mini"), anthropic("claude-sonnet-4-5")]) {
  const asked = {
    model,
    prompt,
    runtimeContext: { sessionId },
    telemetry: { functionId: "support", includeRuntimeContext: { sessionId: true } },
  };
  await generateText(asked);
  await streamText(asked).consumeStream();
  await generateText({ ...asked, tools: { weather }, stopWhen: isStepCount(2) });
}
await embed({ model: openai.embedding("text-embedding-3-small"), value: prompt });
await provider.shutdown();
