import { z } from "zod";
const t = (s, v) => console.log(s.safeParse(v).error?.issues.map((i) => i.path.join(".") + ":" + i.message));
const whole = z.object({ a: z.string(), b: z.number() }).superRefine((v, c) => { if (v.b % 2) c.addIssue({ code: "custom", message: "odd" }); });
t(whole, { a: 5, b: 3 }); t(z.object({ a: z.string(), b: z.number().refine((n) => n % 2 === 0) }), { a: 5, b: 3 });
t(z.object({ a: z.string().min(1), b: z.number() }).superRefine((v, c) => c.addIssue({ code: "custom", message: "ran" })), { a: "", b: 3 });
